"""Who calls: a bearer token with one role. An endpoint names the roles it is for; anything else is refused."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from router.model.errors import NotAllowed, RouterError
from router.store import tokens
from router.store.tokens import Caller, Role
from router.web.services import WithServices

_bearer = HTTPBearer(auto_error=False, description="A token from `POST /tokens`.")


class Unauthenticated(RouterError):
    """No token, or none that is live."""

    status = 401
    code = "unauthenticated"


def require(*roles: Role) -> Callable[..., Caller]:
    """A dependency that yields the caller, whose role must be one of `roles`."""

    def caller(
        request: Request,
        services: WithServices,
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> Caller:
        if given is None:
            raise Unauthenticated("a bearer token is needed")
        with services.store.database.read() as connection:
            found = tokens.caller_of(connection, given.credentials)
        if found is None:
            raise Unauthenticated("the token is unknown or was revoked")
        if found.role not in roles:
            raise NotAllowed(f"not for the role {found.role}, only for {', '.join(roles)}")
        request.state.caller = found
        return found

    caller.roles = roles  # type: ignore[attr-defined]
    return caller


def roles_of(route: APIRoute) -> tuple[Role, ...]:
    """The roles that may call the route, for its documentation; empty where no token is needed."""
    for dependency in route.dependant.dependencies:
        roles: tuple[Role, ...] = getattr(dependency.call, "roles", ())
        if roles:
            return roles
    return ()


Admin = Annotated[Caller, Depends(require("admin"))]
Staff = Annotated[Caller, Depends(require("admin", "coordinator"))]
NodeCaller = Annotated[Caller, Depends(require("node"))]
ReaderCaller = Annotated[Caller, Depends(require("reader"))]
StaffOrReader = Annotated[Caller, Depends(require("admin", "coordinator", "reader"))]
