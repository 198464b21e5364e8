"""The page behind a one-time link. Looking at it answers nothing: mail scanners follow links, and people open mails.

Only a POST with a name and a confirmation acknowledges. The page loads nothing from anywhere, tells no other site
where it was, and may not be kept by a cache.
"""

from html import escape
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from router.flows.answer_alert import acknowledge_by_link, expired_link, find_link
from router.flows.report_whereabouts import whereabouts
from router.model.alert import Alert
from router.model.errors import Conflict, NotFound
from router.model.report_place import Whereabouts
from router.notify.wording import accession, moment
from router.rules.report_place_words import confirmation, where_it_is
from router.web.services import Services, WithServices

router = APIRouter(prefix="/alert", include_in_schema=False)

_LONGEST_FORM = 4096
_SHORTEST_NAME, _LONGEST_NAME = 3, 200
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
}
_STYLE = """
body{font:19px/1.5 Arial,sans-serif;max-width:38rem;margin:0 auto;padding:1rem;color:#212b32;background:#f0f4f5}
main{background:#fff;border:1px solid #d8dde0;border-top:8px solid #005eb8;padding:1rem 1.5rem}
h1{font-size:1.6rem;margin:.3rem 0 1rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.2rem;margin:0}
dt{font-weight:bold} dd{margin:0;overflow-wrap:anywhere} form{border-top:1px solid #d8dde0;margin-top:1.2rem}
label{display:block;font-weight:bold;margin-top:1.2rem} .tick{font-weight:normal;display:flex;gap:.7rem}
input[type=text]{font:inherit;width:100%;box-sizing:border-box;padding:.4rem;border:2px solid #4c6272}
input[type=checkbox]{width:1.6rem;height:1.6rem;flex:none}
button{font:inherit;font-weight:bold;margin:1.5rem 0 .5rem;padding:.6rem 1.2rem;color:#fff;background:#007f3b;border:0;
border-radius:4px;border-bottom:4px solid #00401e;cursor:pointer}
:focus{outline:4px solid #ffeb3b;outline-offset:0;box-shadow:inset 0 0 0 2px #212b32}
.bad{border-left:6px solid #d5281b;padding:.2rem 1rem;font-weight:bold}
.good{border-left:6px solid #007f3b;padding:.2rem 1rem}
"""


@router.get("/{secret}")
def get_page(secret: str, services: WithServices) -> HTMLResponse:
    """Shows what the alert is about; changes nothing."""
    try:
        with services.store.read() as tx:
            link, alert = find_link(tx, secret, services.now())
            at = whereabouts(tx, alert)
    except NotFound:
        return _not_valid(services, secret)
    return _page(_alert(alert, at, link.recipient, ""))


@router.post("/{secret}")
async def post_page(secret: str, request: Request, services: WithServices) -> HTMLResponse:
    """Acknowledges, by the name given."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > _LONGEST_FORM:
        return _page(_told("the form cannot be read"), 422)
    form = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=20)
    name = " ".join(form.get("person", [""])[0].split())
    return await run_in_threadpool(_acknowledge, services, secret, name, "yes" in form.get("confirmed", []))


def _acknowledge(services: Services, secret: str, name: str, confirmed: bool) -> HTMLResponse:
    now = services.now()
    try:
        with services.store.read() as tx:
            link, alert = find_link(tx, secret, now)
            at = whereabouts(tx, alert)
        if problem := _problem(name, confirmed):
            return _page(_alert(alert, at, link.recipient, problem), 422)
        with services.store.write() as tx:
            alert = acknowledge_by_link(tx, secret, name, services.settings.alerts, now)
    except NotFound:
        return _not_valid(services, secret)
    except Conflict as refusal:
        return _page(_told(str(refusal)), 409)
    return _page(_alert(alert, at, link.recipient, ""))


def _problem(name: str, confirmed: bool) -> str:
    if not _SHORTEST_NAME <= len(name) <= _LONGEST_NAME or "\x00" in name or not any(c.isalpha() for c in name):
        return "Enter your full name: the record must say who has taken this on"
    return "" if confirmed else "Tick the box to confirm that you have taken this on"


def _alert(alert: Alert, at: Whereabouts, recipient: str, problem: str) -> str:
    rows = {
        "Code": f"{alert.code_text} ({alert.code})" if alert.code_text else alert.code,
        "Urgency": alert.urgency.value if alert.urgency else "critical",
        "Trust": alert.trust,
        "Report": where_it_is(at),
        "Accession": accession(alert.accession_number, alert.accession_issuer),
        "Raised": moment(alert.raised_at),
        "Answer by": moment(alert.deadline_at) if alert.deadline_at else "now",
        "Sent to": recipient,
        "Alert": f"{alert.id[:8]} (say this on the telephone)",
    }
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows.items())
    finding = alert.category or "unknown code"
    return f"<h1>{escape(finding[:1].upper() + finding[1:])}</h1><dl>{listed}</dl>{_answer(alert, at, problem)}"


def _answer(alert: Alert, at: Whereabouts, problem: str) -> str:
    if not alert.is_unanswered:
        by, when = escape(alert.acknowledged_by or ""), moment(alert.acknowledged_at or alert.raised_at)
        return f"<p class='good' role='status'>Acknowledged by <b>{by}</b>, {when}. Nobody else is told any more.</p>"
    bad = f"<p class='bad' role='alert'>{escape(problem)}</p>" if problem else ""
    return (
        f"<form method='post'>{bad}<label for='person'>Your full name and role</label>"
        "<input type='text' id='person' name='person' maxlength='200' required autocomplete='name'>"
        "<label class='tick'><input type='checkbox' name='confirmed' value='yes' required>"
        f"{escape(confirmation(at.place))}</label>"
        "<button>Acknowledge this alert</button></form>"
        "<p>Opening this page has not acknowledged anything.</p>"
    )


def _not_valid(services: Services, secret: str) -> HTMLResponse:
    """Whether the alert is answered, for whoever has its link from before; and whom to ring."""
    with services.store.read() as tx:
        alert = expired_link(tx, secret)
        where = where_it_is(whereabouts(tx, alert)) if alert is not None else ""
    words = "this link is not valid, or has expired"
    if alert is None:
        return _page(_told(words, "Ring the reporting centre and say the alert's number, which your message has."), 404)
    number = f"Alert {alert.id[:8]} for {alert.trust or 'no known trust'}"
    if alert.is_unanswered:
        said = f"{number} is NOT answered yet. {where} To take it on, ring the reporting centre and say its number."
    else:
        said = (
            f"{number} was acknowledged by {alert.acknowledged_by}, {moment(alert.acknowledged_at or alert.raised_at)}."
        )
    return _page(_told("this link has expired", said), 404)


def _told(words: str, more: str = "") -> str:
    said = words[:1].upper() + words[1:]
    problem = f"<p class='bad' role='alert'>{escape(said)}.</p>"
    return f"<h1>Nothing was acknowledged by this link</h1>{problem}<p>{escape(more)}</p>"


def _page(content: str, status: int = 200) -> HTMLResponse:
    page = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' "
        f"content='width=device-width,initial-scale=1'><title>Alert – Readacross</title><style>{_STYLE}</style></head>"
        f"<body><main>{content}</main></body></html>"
    )
    return HTMLResponse(page, status, _HEADERS)
