"""Networks of one's own that could not be trained truthfully: each is refused with the reason."""

import pytest
from own_networks import FLAT, MLP, OUT, made, module_of, written

from lttune.errors import ConfigError


def refused(body, forward, folder, more=""):
    with pytest.raises(ConfigError) as error:
        module_of(body, forward, folder, more)
    text = str(error.value)
    assert text.startswith(f"model.name: {folder}/net.py:network ")
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("body", "forward", "told"),
    [
        (
            OUT,
            "return x.flatten(1)",
            "must return logits of shape (2, 10) in training, got (2, 64)",
        ),
        (OUT, "return None", "must return logits of shape (2, 10) in training, got NoneType"),
        (OUT, "return self.missing(x)", "AttributeError: 'Net' object has no attribute 'missing'"),
        (
            f"{OUT}; self.aux = nn.Linear(3, 3)",
            FLAT,
            "does not use aux.weight for its logits: pruning would count weights that do nothing",
        ),
        (
            "self.out = nn.Linear(pixels, classes).double()",
            "return self.out(x.flatten(1).double())",
            "must have parameters of float32 on the CPU, got out.weight of torch.float64 on cpu",
        ),
        (
            "self.out = nn.LazyLinear(classes)",
            FLAT,
            "must give every parameter its shape when it is made, out.weight has none",
        ),
        (
            f"{OUT}; self.register_buffer('mean', torch.zeros(1))",
            "self.mean = self.mean + 1; return self.out(x.flatten(1))",
            "must change its buffers in place, and puts others there: mean",
        ),
        ("self.flat = nn.Flatten()", "return self.flat(x)[:, :10]", "has no parameters that are"),
        (
            "self.out = nn.utils.parametrizations.weight_norm(nn.Linear(pixels, classes))",
            FLAT,
            "has no weights that can be pruned",
        ),
        (
            f"{OUT}; self.prunable = ['outt']",
            FLAT,
            "has no parameter 'outt', which its `prunable` names",
        ),
        (f"{OUT}; self.prunable = 3", FLAT, "must have a list of names as `prunable`, got 3"),
        (f"{OUT}; self.prunable = ['out.bias']", FLAT, "must name matrices in `prunable`, got out"),
        (
            f"{OUT}; self.prunable = dict(out='bias')",
            FLAT,
            "must name parameters and kinds in `prunable`",
        ),
        ("raise OSError('no disk')", FLAT, "8 x 8 and 10 classes: OSError: no disk"),
    ],
)
def test_what_cannot_be_trained_truthfully_is_refused_with_the_reason(
    body, forward, told, tmp_path
):
    assert told in refused(body, forward, tmp_path)


def test_another_network_each_time_is_refused(tmp_path):
    told = refused(
        "made.append(1); self.out = nn.Linear(pixels, classes); "
        "self.more = nn.Linear(classes, classes) if len(made) % 2 else nn.Identity()",
        "return self.more(self.out(x.flatten(1)))",
        tmp_path,
        "made = []",
    )
    assert "must be the same network whenever it is made" in told


def test_dropout_is_the_networks_own_matter(tmp_path):
    with pytest.raises(ConfigError, match=r"model\.dropout must be 0 for .* whose own code"):
        made(written(tmp_path, MLP), dropout=0.5)
