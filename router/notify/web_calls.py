"""One POST over HTTPS, and what its answer means for a notification."""

import httpx2

from router.model.errors import ChannelFailed

_TRY_AGAIN = frozenset({408, 425, 429})


def post(client: httpx2.Client, url: str, content: bytes, headers: dict[str, str], name: str) -> httpx2.Response:
    """The answer, which is a 2xx; redirects are refused, because they would carry the message elsewhere.

    Raises:
        ChannelFailed: no answer, or another one; permanent for 3xx and 4xx that say so.
    """
    try:
        answer = client.post(url, content=content, headers=headers, follow_redirects=False)
    except httpx2.HTTPError as error:
        raise ChannelFailed(f"{name} did not answer: {type(error).__name__}", retryable=True) from None
    if answer.is_success:
        return answer
    status = answer.status_code
    raise ChannelFailed(f"{name} answered {status}", retryable=status >= 500 or status in _TRY_AGAIN)
