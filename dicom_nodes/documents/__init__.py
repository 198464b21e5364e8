"""Reports as DICOM documents."""
