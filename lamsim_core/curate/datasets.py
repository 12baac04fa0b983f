"""Dataset versions: freeze one, list and read them, make them again, hand them on. The face of this package for others."""

from lamsim_core.curate.differences import Differences, Rebuilt, differences, load_left_out, rebuild
from lamsim_core.curate.export import FORMS, Form, export, export_lines
from lamsim_core.curate.folder import Listing, dataset_folder, find_dataset, get_dataset, list_datasets, load_rows
from lamsim_core.curate.freezing import freeze
from lamsim_core.curate.outside import Outside, keep_outside, kept_outside, outside, read_outside
from lamsim_core.curate.verifying import NotHeld, Verified, verify

__all__ = [
    "FORMS",
    "Differences",
    "Form",
    "Listing",
    "NotHeld",
    "Outside",
    "Rebuilt",
    "Verified",
    "dataset_folder",
    "differences",
    "export",
    "export_lines",
    "find_dataset",
    "freeze",
    "get_dataset",
    "keep_outside",
    "kept_outside",
    "list_datasets",
    "load_left_out",
    "load_rows",
    "outside",
    "read_outside",
    "rebuild",
    "verify",
]
