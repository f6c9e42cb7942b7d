"""HDF5 files of strangers: groups by name, arrays of numbers or of fields, short texts.

Attributes are left alone, no link is followed, and no other file is opened. They are read by us, as
HDF5's own library crashes on damaged files, and pyfive 1.3, the other reader, takes memory on the
word of a header. After the HDF5 File Format Specification, version 3.0
(https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html).
"""

from spikedoor.data.hdf5.group import Group, hdf5

__all__ = ["Group", "hdf5"]
