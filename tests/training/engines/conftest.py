"""Examples for tests of engines, and the network that most of them train."""

import pytest

from lttune.config import ModelConfig
from lttune.data import load
from lttune.data.resident import resident
from lttune.models import build


@pytest.fixture(scope="module")
def examples():
    return resident(load("digits"))[0]


@pytest.fixture(scope="module")
def network():
    return build(ModelConfig(name="lenet-150-70-20"), (8, 8), 10)
