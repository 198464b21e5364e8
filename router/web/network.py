"""Trusts, their nodes, and who may call: the administrator's side of the API."""

from dataclasses import asdict
from datetime import datetime

from fastapi import APIRouter

from router.config import ReturnsSeed
from router.model.delivery import DEFAULT_RETURNS, ReturnPolicy
from router.model.errors import Invalid, NotFound
from router.model.trust import Node, Trust
from router.store import tokens
from router.store.tokens import Role
from router.store.transaction import SqlTransaction
from router.web.errors import responses
from router.web.messages import NewTokenView, NodeBody, NodeView, TokenBody, TokenView, TrustBody
from router.web.security import Admin, Staff
from router.web.services import Services, WithServices
from router.web.views import node_view

router = APIRouter()


@router.get("/trusts", tags=["network"], summary="All trusts", responses=responses())
def get_trusts(services: WithServices, _caller: Staff) -> list[TrustBody]:
    """Every trust of the network."""
    with services.store.read() as tx:
        return [_trust_view(trust) for trust in tx.network.trusts()]


@router.put("/trusts/{ods_code}", tags=["network"], summary="Add or rename a trust", responses=responses())
def put_trust(ods_code: str, body: TrustBody, services: WithServices, _caller: Admin) -> TrustBody:
    """Add a trust, or change its name and how it wants its reports back."""
    _same(ods_code, body.ods_code)
    with services.store.write() as tx:
        known = tx.network.trust(ods_code)
        returns = DEFAULT_RETURNS if known is None else known.returns
        if body.returns is not None:
            returns = ReturnPolicy(**body.returns.model_dump())
        trust = Trust(body.ods_code, body.name, returns)
        tx.network.put_trust(trust)
    return _trust_view(trust)


def _trust_view(trust: Trust) -> TrustBody:
    returns = ReturnsSeed.model_validate(asdict(trust.returns))
    return TrustBody(ods_code=trust.ods_code, name=trust.name, returns=returns)


@router.get("/nodes", tags=["network"], summary="All nodes, and when each last spoke", responses=responses())
def get_nodes(services: WithServices, _caller: Staff) -> list[NodeView]:
    """Every node with its last traffic, its health as it last said, and how old its outbox is."""
    with services.store.read() as tx:
        return [_view(node, services) for node in tx.network.nodes()]


@router.put("/nodes/{ods_code}", tags=["network"], summary="Add a node or change its address", responses=responses())
def put_node(ods_code: str, body: NodeBody, services: WithServices, _caller: Admin) -> NodeView:
    """Add a trust's node, or change where other nodes reach it."""
    _same(ods_code, body.ods_code)
    with services.store.write() as tx:
        if body.ods_code not in {trust.ods_code for trust in tx.network.trusts()}:
            raise Invalid("ods_code: expected a known trust")
        if any(node.ae_title == body.ae_title and node.ods_code != ods_code for node in tx.network.nodes()):
            raise Invalid("ae_title: is another node's")
        tx.network.put_node(Node(body.ods_code, body.ae_title, body.host, body.port))
        node = tx.network.node(ods_code)
    assert node is not None
    return _view(node, services)


@router.post("/tokens", tags=["tokens"], summary="Issue a token", status_code=201, responses=responses())
def post_token(body: TokenBody, services: WithServices, _caller: Admin) -> NewTokenView:
    """Issue a token. A reader's is bound to that reader, a node's to its trust's ODS code; the secret is shown once."""
    now = services.now()
    with services.store.write() as tx:
        token_id, secret = issue_checked(tx, body.role, body.subject, now)
    return NewTokenView(id=token_id, role=body.role, subject=body.subject, created_at=now, token=secret)


@router.get("/tokens", tags=["tokens"], summary="All tokens, without their secrets", responses=responses())
def get_tokens(services: WithServices, _caller: Admin) -> list[TokenView]:
    """Every token that was ever issued, revoked ones too."""
    with services.store.database.read() as connection:
        records = tokens.listing(connection)
    return [
        TokenView(id=r.id, role=r.role, subject=r.subject, created_at=r.created_at, revoked_at=r.revoked_at)
        for r in records
    ]


@router.delete(
    "/tokens/{token_id}", tags=["tokens"], summary="Revoke a token", status_code=204, responses=responses(404)
)
def delete_token(token_id: str, services: WithServices, _caller: Admin) -> None:
    """Make a token useless from now on."""
    with services.store.write() as tx:
        if not tokens.revoke(tx.connection, token_id, services.now()):
            raise NotFound("no such live token")


def issue_checked(tx: SqlTransaction, role: Role, subject: str, now: datetime) -> tuple[str, str]:
    """Issue a token for somebody the network knows; returns its id and secret.

    Raises:
        Invalid: a reader's or node's token for nobody.
    """
    if role == "reader" and tx.readers.get(subject) is None:
        raise Invalid("subject: expected the id of a known reader")
    if role == "node" and tx.network.node(subject) is None:
        raise Invalid("subject: expected the ODS code of a known node")
    return tokens.issue(tx.connection, role, subject, now)


def _view(node: Node, services: Services) -> NodeView:
    return node_view(node, services.settings.router.node_silent_s, services.now())


def _same(in_path: str, in_body: str) -> None:
    if in_path != in_body:
        raise Invalid("ods_code: path and body differ")
