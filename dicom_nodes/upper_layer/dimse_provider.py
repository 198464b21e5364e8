"""DIMSE messages over an association: command sets whole, data sets as the fragments that arrive (DICOM PS3.7 6.3).

A data set is never put together here: whoever wants it whole keeps the fragments.
"""

from collections.abc import Collection
from dataclasses import dataclass

from dicom_nodes.upper_layer.command_set import Command, decode_command, encode_command
from dicom_nodes.upper_layer.events import Indication, NeedData
from dicom_nodes.upper_layer.faults import PduFault, invalid, unexpected
from dicom_nodes.upper_layer.pdu_decoder import PDataFragment
from dicom_nodes.upper_layer.pdu_types import Buffer
from dicom_nodes.upper_layer.provider import UpperLayerProvider

LARGEST_COMMAND_SET = 1 << 16
"""The longest one that means anything, with a list of attributes, has a few hundred bytes."""


@dataclass(frozen=True, slots=True)
class CommandReceived:
    """A command set is complete; where `command.has_data_set`, its fragments follow."""

    context_id: int
    command: Command


DataSetFragment = PDataFragment
"""Some bytes of the data set that belongs to the command before; `is_last` ends the message."""

DimseEvent = Indication | CommandReceived | DataSetFragment


class DimseProvider:
    """Reads and writes the messages of one established association."""

    def __init__(self, upper_layer: UpperLayerProvider) -> None:
        self._upper_layer = upper_layer
        self._accepted: Collection[int] = frozenset()
        self._command = bytearray()
        self._context_id = 0
        self._in_data_set = False

    @property
    def is_between_messages(self) -> bool:
        """Whether the last byte received was the last of a message."""
        return not self._command and not self._in_data_set and self._upper_layer.is_between_pdus

    @property
    def kept_bytes(self) -> int:
        """How much of the peer's bytes is held back."""
        return len(self._command) + self._upper_layer.kept_bytes

    def use_contexts(self, accepted: Collection[int]) -> None:
        """Presentation context ids on which messages may come."""
        self._accepted = frozenset(accepted)

    def next_event(self) -> DimseEvent | NeedData:
        """What happened next: a command, a fragment of its data set, or an event of the upper layer."""
        while True:
            event = self._upper_layer.next_event()
            if type(event) is not PDataFragment:
                return event
            if self._in_data_set and not event.is_command and event.context_id == self._context_id:
                self._in_data_set = not event.is_last
                return event
            try:
                received = self._command_fragment(event)
            except PduFault as fault:
                self._upper_layer.refuse(fault)
            else:
                if received is not None:
                    return received

    def send_command(self, context_id: int, command: Command) -> None:
        """Send a command set."""
        self._upper_layer.send_p_data(context_id, encode_command(command), is_command=True)

    def send_data_set(self, context_id: int, data: Buffer, *, is_last: bool = True) -> None:
        """Send a data set or, with `is_last` false, a part of one; `data` is not copied."""
        self._upper_layer.send_p_data(context_id, data, is_command=False, is_last=is_last)

    def _command_fragment(self, fragment: PDataFragment) -> CommandReceived | None:
        if fragment.context_id not in self._accepted:
            raise invalid("a message on a presentation context that was not accepted")
        if self._in_data_set or not fragment.is_command:
            raise unexpected("a fragment of another message than the one that is due")
        if self._command and fragment.context_id != self._context_id:
            raise unexpected("a command set changes its presentation context")
        if len(self._command) + len(fragment.data) > LARGEST_COMMAND_SET:
            raise invalid("a command set that is longer than any")
        self._context_id = fragment.context_id
        if not fragment.is_last:
            self._command += fragment.data
            return None
        command = decode_command(self._command + fragment.data if self._command else fragment.data)
        self._command.clear()
        self._in_data_set = command.has_data_set
        return CommandReceived(fragment.context_id, command)
