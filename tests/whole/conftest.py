"""A trajectory that the tests of a file share."""

import pytest
from peer_faults import Recording, lab_in, walked


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return lab_in(tmp_path_factory.mktemp("store"), Recording())


@pytest.fixture(scope="module")
def levels(lab):
    return walked(lab)
