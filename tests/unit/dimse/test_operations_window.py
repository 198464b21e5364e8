"""Which asynchronous operations window is granted for what was asked (DICOM PS3.7 D.3.3.3)."""

import pytest

from dicom_nodes.dimse.supported_contexts import acceptance
from dicom_nodes.upper_layer.association_pdus import AssociateRequest
from dicom_nodes.upper_layer.presentation_contexts import ProposedContext
from dicom_nodes.upper_layer.user_information import AsynchronousOperationsWindow, RoleSelection, UserInformation

CT, GET, MOVE = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.2.2.3", "1.2.840.10008.5.1.4.1.2.2.2"
ECHO, FIND = "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.2.2.1"


@pytest.mark.parametrize(
    ("sop_classes", "asked", "granted"),
    [
        ([CT], None, None),
        ([CT], (16, 1), (16, 1)),
        ([CT, ECHO], (0, 1), (64, 1)),
        ([CT], (500, 500), (64, 1)),
        ([GET, CT], (1, 16), (1, 16)),
        ([GET, CT], (16, 0), (1, 64)),
        ([GET, CT], (1, 1), (1, 1)),
        ([MOVE], (8, 8), (1, 1)),
        ([FIND, CT], (8, 8), (1, 1)),
    ],
)
def test_window_is_for_storage_alone_and_for_what_a_c_get_brings(
    sop_classes: list[str], asked: tuple[int, int] | None, granted: tuple[int, int] | None
) -> None:
    contexts = tuple(
        ProposedContext(2 * number + 1, uid, ("1.2.840.10008.1.2",)) for number, uid in enumerate(sop_classes)
    )
    window = None if asked is None else AsynchronousOperationsWindow(*asked)
    roles = (RoleSelection(CT, scu=False, scp=True),) if GET in sop_classes else ()
    request = AssociateRequest("NODE", "HOME", contexts, UserInformation(16_384, window=window, roles=roles))

    answer = acceptance(request, 16_384).user_information.window

    assert (None if answer is None else (answer.invoked, answer.performed)) == granted
