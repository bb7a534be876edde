"""DICOM's own way between machines, by pynetdicom: C-STORE into the spool, and C-STORE of results to an archive."""

import contextlib
import time

from ..files.paths import DataError
from .spool import QueueFull

HERE = "127.0.0.1"
OUT_OF_RESOURCES = 0xA700  # a sender tries again later
PATIENCE = 10  # seconds within which the other side takes a connection


class NobodyThere(DataError, ConnectionError):
    """No archive answers at an address: nothing can be sent now."""


@contextlib.contextmanager
def receive(spool, port=0, title="WORKER"):
    """Take in what is sent, while the context lasts, and yield the server; its ``port`` is a free one for 0.

    A sender is told that a file is stored when it lies in the spool, and otherwise why not. Only this machine is
    listened to: who opens a port to a hospital puts a gateway before it that knows who may send.
    """

    def store(event):
        try:
            spool.put(event.encoded_dataset())
        except QueueFull as error:
            return _answer(OUT_OF_RESOURCES, str(error))
        except DataError:  # the disk takes no more
            return _answer(OUT_OF_RESOURCES, "the file cannot be written; see the disk of the receiver")
        return 0x0000

    with serve_storage(store, port, title) as server:
        spool.opened = time.time()  # who was cut off by the end of another receiver sends on from now
        yield server


@contextlib.contextmanager
def serve_storage(store, port=0, title="WORKER"):
    """A server on this machine that gives each C-STORE to ``store(event)``, which returns the status."""
    from pydicom.uid import AllTransferSyntaxes
    from pynetdicom import AE, AllStoragePresentationContexts, evt
    from pynetdicom.sop_class import Verification

    entity = AE(ae_title=title)
    entity.maximum_associations = 16
    entity.add_supported_context(Verification)
    for context in AllStoragePresentationContexts:  # slices stay compressed as they were sent
        entity.add_supported_context(context.abstract_syntax, AllTransferSyntaxes)
    server = entity.start_server((HERE, port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    server.port = server.socket.getsockname()[1]
    try:
        yield server
    finally:
        server.shutdown()


def send_files(paths, port, title="ARCHIVE", host=HERE, sender="WORKER"):
    """Send DICOM files by C-STORE, over one association.

    Raises :class:`NobodyThere`, or :class:`unet_helpers.DataError` with what the other side said of one that it did not
    take.
    """
    import pydicom
    from pynetdicom import AE

    datasets = [pydicom.dcmread(path) for path in paths]
    entity = AE(ae_title=sender)
    entity.connection_timeout = PATIENCE
    for sop_class, syntax in sorted({(one.SOPClassUID, one.file_meta.TransferSyntaxUID) for one in datasets}):
        entity.add_requested_context(sop_class, syntax)
    association = entity.associate(host, port, ae_title=title)
    if not association.is_established:
        raise NobodyThere(f"no archive '{title}' answers on port {port} of {host}; start it, or correct the address")
    try:
        for path, dataset in zip(paths, datasets, strict=True):
            try:
                answer = association.send_c_store(dataset)
            except ValueError as error:  # the other side does not know this kind of object
                raise DataError(f"'{title}' does not take '{path.name}': {error}") from None
            except RuntimeError:  # it ended the association since the file before
                raise DataError(f"'{title}' broke off at '{path.name}'; send again") from None
            if "Status" not in answer:
                raise DataError(f"'{title}' broke off at '{path.name}'; send again")
            if answer.Status != 0x0000 and answer.Status >> 12 != 0xB:  # a warning is stored all the same
                said = str(answer.get("ErrorComment", "")) or "it gives no reason"
                raise DataError(f"'{title}' did not take '{path.name}' (status 0x{answer.Status:04X}): {said}")
    finally:
        association.release()


def _answer(status, comment):
    from pydicom.dataset import Dataset

    answer = Dataset()
    answer.Status = status
    answer.ErrorComment = comment[:64]  # as much as the field holds
    return answer
