"""Networks of one's own: what is found in them, what is refused, what identifies them."""

import math

import numpy as np
import pytest
import torch
from own_networks import COLOUR, FLAT, GREY, MLP, OUT, made, module_of, page_block, written
from torch import nn

from lttune.config import LotteryConfig, ModelConfig
from lttune.config.seeding import stream
from lttune.errors import ConfigError
from lttune.exchange.tensors import TENSOR_FORMS, pruned_module, write
from lttune.models import build
from lttune.models.architectures import FAMILIES
from lttune.models.own import descriptions, use_described
from lttune.training.engines.plain import fully_connected
from lttune.trajectory.connectivity import loaded

MADE, BACK = MLP.replace("return nn", "made = nn"), "\n    return made\n"


def initial(network, replicate=0):
    return network.initial_weights(stream(0, replicate, "init"))


def test_the_layers_of_the_pages_transformer_are_found_by_type(tmp_path):
    network = made(written(tmp_path, page_block("patches.py"), "patches.py"))
    assert network.kinds == {
        "cut": "conv",
        "attention:in_proj_weight": "fc",
        "attention.out_proj": "fc",
        "wide": "fc",
        "narrow": "fc",
        "head": "out",
    }
    sizes = {name: math.prod(network.shapes[name]) for name in network.prunable}
    assert sizes == {
        "cut.weight": 32 * 16,
        "attention.in_proj_weight": 3 * 32 * 32,
        "attention.out_proj.weight": 32 * 32,
        "wide.weight": 64 * 32,
        "narrow.weight": 32 * 64,
        "head.weight": 10 * 32,
    }
    assert [n for n, role in network.roles.items() if role == "module"] == [
        *("position", "norm1.weight", "norm1.bias", "attention.in_proj_bias"),
        *("norm2.weight", "norm2.bias"),
    ]


def test_weights_are_drawn_and_the_rest_is_its_constructors(tmp_path):
    network = made(written(tmp_path, page_block("patches.py"), "patches.py"))
    first, again, other = initial(network), initial(network), initial(network, 1)
    assert all(torch.equal(first[n], again[n]) for n in first)
    assert not torch.equal(first["position"], other["position"])
    assert first["position"].std().item() == pytest.approx(0.02, rel=0.3)
    assert bool((first["norm1.weight"] == 1).all())
    glorot = math.sqrt(2 / (96 + 32))
    assert first["attention.in_proj_weight"].std().item() == pytest.approx(glorot, rel=0.1)
    assert not any(first[f"{layer}.bias"].any() for layer in ("cut", "wide", "head"))


def test_an_initialisation_can_be_left_to_the_module(tmp_path):
    name = written(tmp_path, page_block("patches.py"), "patches.py")
    network = made(name, init="module")
    found = initial(network)
    # nn.Linear draws uniformly below 1 / sqrt(fan_in), biases too.
    assert 0.9 / math.sqrt(32) < found["wide.weight"].abs().max() <= 1 / math.sqrt(32)
    assert bool(found["wide.bias"].any())
    scaled = initial(made(name, init="module", init_scale=2.0))
    assert torch.equal(scaled["wide.weight"], 2 * found["wide.weight"])
    assert torch.equal(scaled["position"], found["position"])


def test_networks_of_ours_can_be_left_to_their_layers_too():
    network = build(ModelConfig(name="resnet-20-4", init="module"), GREY, 10)
    found = initial(network)
    assert found["conv1.weight"].abs().max() <= 1 / 3
    assert bool((found["norm1.running_var"] == 1).all())
    assert torch.equal(found["out.weight"], initial(network)["out.weight"])


def test_making_and_drawing_leave_the_global_generator_alone(tmp_path):
    before = torch.random.get_rng_state()
    network = made(written(tmp_path, page_block("patches.py"), "patches.py"), init="module")
    initial(network)
    network.opened("cpu")
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("shape", [GREY, (1, 8, 8), COLOUR])
def test_pictures_have_channels_whatever_they_are(shape, tmp_path):
    network = made(written(tmp_path, page_block("patches.py"), "patches.py"), shape)
    module = network.opened("cpu")
    assert module(torch.zeros(2, *shape)).shape == (2, 10)
    assert list(module.state_dict()) == list(network.state)


def test_shared_parameters_are_one_and_have_all_their_names(tmp_path):
    network = module_of(
        "self.a = nn.Linear(pixels, 6); self.b = nn.Linear(pixels, 6); "
        "self.b.weight = self.a.weight; self.out = nn.Linear(6, classes)",
        "return self.out(self.a(x.flatten(1)) + self.b(x.flatten(1)))",
        tmp_path,
    )
    assert network.prunable == ["a.weight", "out.weight"]
    assert network.state["b.weight"] == "a.weight"
    assert list(network.shapes) == ["a.weight", "a.bias", "b.bias", "out.weight", "out.bias"]


def test_what_needs_no_gradient_is_a_constant(tmp_path):
    network = module_of(
        "self.fixed = nn.Linear(pixels, 6); self.fixed.requires_grad_(False); "
        "self.register_buffer('order', torch.arange(6)); self.out = nn.Linear(6, classes)",
        "return self.out(self.fixed(x.flatten(1))[:, self.order])",
        tmp_path,
    )
    assert network.prunable == ["out.weight"]
    assert set(network.constants) == {"order", "fixed.weight", "fixed.bias"}
    weights = initial(network)
    assert torch.equal(weights["order"], torch.arange(6))
    assert bool(weights["fixed.weight"].any())


def test_a_batch_norm_that_is_frozen_keeps_its_scale_and_any_kind_has_a_counter(tmp_path):
    network = module_of(
        "self.first = nn.BatchNorm2d(1); self.first.requires_grad_(False); "
        "self.first.weight.data.fill_(3.0); "
        "self.second = nn.InstanceNorm2d(1, track_running_stats=True); "
        "self.out = nn.Linear(pixels, classes)",
        "return self.out(self.second(self.first(x)).flatten(1))",
        tmp_path,
    )
    weights = initial(network)
    assert weights["first.weight"].tolist() == [3.0]
    assert weights["first.running_var"].tolist() == [1.0]
    assert not [name for name in network.constants if "num_batches" in name]


def test_a_frozen_module_of_two_names_is_frozen_once(tmp_path):
    network = module_of(
        "self.a = nn.Linear(pixels, 6); self.a.requires_grad_(False); self.b = self.a; "
        "self.out = nn.Linear(6, classes)",
        "return self.out(self.a(x.flatten(1)) + self.b(x.flatten(1)))",
        tmp_path,
    )
    assert network.prunable == ["out.weight"]


def test_a_buffer_that_is_in_no_state_dict_is_loaded_too(tmp_path):
    network = module_of(
        "self.register_buffer('drawn', torch.randn(6), persistent=False); "
        "self.a = nn.Linear(pixels, 6); self.out = nn.Linear(6, classes)",
        "return self.out(self.a(x.flatten(1)) + self.drawn)",
        tmp_path,
    )
    weights = initial(network, replicate=1)
    assert torch.equal(loaded(network, weights, "cpu").drawn, weights["drawn"])
    assert not torch.equal(weights["drawn"], initial(network)["drawn"])


def test_parameters_without_influence_are_no_matter_if_they_are_not_pruned(tmp_path):
    network = module_of(f"{OUT}; self.idle = nn.Parameter(torch.ones(3))", FLAT, tmp_path)
    assert network.prunable == ["out.weight"]
    assert "idle" in network.shapes


@pytest.mark.parametrize(
    ("told", "kinds"),
    [
        ("['wide', 'attention.in_proj_weight']", {"attention:in_proj_weight": "fc", "wide": "fc"}),
        ("{'wide': 'middle', 'head': None}", {"wide": "middle", "head": "out"}),
        ("lambda: ('cut',)", {"cut": "conv"}),
        ("['norm2.weight', 'position']", "norm2.weight"),
    ],
)
def test_a_module_may_say_what_is_pruned(told, kinds, tmp_path):
    code = page_block("patches.py").replace(
        "    return Patches(shape, classes)",
        f"    module = Patches(shape, classes)\n    module.prunable = {told}\n    return module",
    )
    name = written(tmp_path, code)
    if isinstance(kinds, str):
        with pytest.raises(ConfigError, match=f"must name matrices in `prunable`, got {kinds}"):
            made(name)
    else:
        assert made(name).kinds == kinds


def test_a_method_of_the_class_says_it_too(tmp_path):
    code = page_block("patches.py").replace(
        "    def forward(",
        "    def prunable(self):\n        return ['position', 'narrow']\n\n    def forward(",
    )
    network = made(written(tmp_path, code))
    assert network.kinds == {":position": "conv", "narrow": "fc"}
    assert network.prunable == ["position", "narrow.weight"]


@pytest.mark.parametrize(
    ("source", "plain"),
    [
        (MLP, True),
        (MLP.replace("nn.ReLU()", "nn.Tanh()"), False),
        (MLP.replace("nn.Flatten()", "nn.Flatten(2), nn.Flatten()"), False),
        (MLP.replace("nn.Linear(12, classes)", "nn.Linear(12, classes, bias=False)"), False),
        (
            MLP.replace("import nn", "import nn\n\nclass Own(nn.Linear): pass").replace(
                "nn.Linear(12", "Own(12"
            ),
            False,
        ),
        (
            MLP.replace("import nn", "import nn\n\nclass Own(nn.Sequential): pass").replace(
                "nn.Sequential(", "Own("
            ),
            False,
        ),
        (MADE + "    made[1].bias.requires_grad = False" + BACK, False),
        (MADE.replace("12", "classes") + "    made[3].bias = made[1].bias" + BACK, False),
        (MADE + "    made.register_forward_hook(lambda part, seen, out: 2 * out)" + BACK, False),
        (MADE + "    made.forward = lambda x: made[3](made[1](made[0](x)))" + BACK, False),
        (MADE + BACK, True),
    ],
)
def test_the_sparse_engine_takes_what_its_kernels_compute_and_nothing_that_only_looks_so(
    source, plain, tmp_path
):
    assert fully_connected(made(written(tmp_path, source))) == plain


def test_a_described_network_is_read_and_never_made(tmp_path):
    name = written(tmp_path, page_block("patches.py"), "patches.py")
    network = made(name)
    sheet = {"networks": descriptions([name])}
    assert [one["source"] for one in sheet["networks"]] == [network.source]
    use_described(sheet, "study.json")
    described = build(ModelConfig(name=name), GREY, 10)
    for field in ("shapes", "kinds", "roles", "buffers", "constants", "state", "source"):
        assert getattr(described, field) == getattr(network, field)
    for use_it in (lambda: described.opened("cpu"), lambda: initial(described)):
        with pytest.raises(ConfigError, match=r"needs the code of .* folder of a study"):
            use_it()
    with pytest.raises(ConfigError, match=r"does not describe .* for pictures of shape \(9, 9\)"):
        build(ModelConfig(name=name), (9, 9), 10)
    made(name).opened("cpu")


def test_a_network_that_nobody_made_known_is_no_network(tmp_path):
    with pytest.raises(ConfigError, match="must be made known"):
        build(ModelConfig(name=f"{tmp_path}/never.py:network"), GREY, 10)
    assert f"{tmp_path}/never.py:network" not in FAMILIES


def test_a_lottery_config_with_a_network_of_ones_own_is_plain_values():
    config = LotteryConfig(model=ModelConfig(name="./net.py:network"))
    assert config.flat()["model.name"] == "./net.py:network"


def test_tickets_in_the_file_form_have_each_shared_tensor_twice(tmp_path):
    network = module_of(
        "self.a = nn.Linear(pixels, 6); self.b = nn.Linear(pixels, 6); "
        "self.b.weight = self.a.weight; self.out = nn.Linear(6, classes)",
        "return self.out(self.a(x.flatten(1)) + self.b(x.flatten(1)))",
        tmp_path,
    )
    weights = initial(network)
    mask = {
        n: torch.from_numpy(np.arange(weights[n].numel()) % 2 == 0).view_as(weights[n])
        for n in network.prunable
    }
    pruned = {n: v * mask[n] if n in mask else v for n, v in weights.items()}
    tensors = TENSOR_FORMS["state-dict"](pruned, mask, network, 3)
    write(tmp_path / "ticket.safetensors", tensors, {})
    assert torch.equal(tensors["a.weight"], tensors["b.weight"])
    module = network.opened("cpu")
    module.load_state_dict(tensors)
    assert isinstance(pruned_module(pruned, mask, network, 3), nn.Module)


def test_layers_are_left_out_by_their_names_and_kinds(tmp_path):
    network = made(written(tmp_path, page_block("patches.py"), "patches.py"))
    left = network.excluding(("attention:in_proj_weight", "out", "conv"))
    assert left.prunable == ["attention.out_proj.weight", "wide.weight", "narrow.weight"]
    assert left.shapes == network.shapes


def test_parametrised_weights_are_no_parameters_and_stay_whole(tmp_path):
    network = module_of(
        "self.a = nn.utils.parametrizations.weight_norm(nn.Linear(pixels, 6)); "
        "self.out = nn.Linear(6, classes)",
        "return self.out(self.a(x.flatten(1)))",
        tmp_path,
    )
    assert network.prunable == ["out.weight"]
    assert network.roles["a.parametrizations.weight.original1"] == "module"
    assert initial(network)["a.parametrizations.weight.original1"].std() > 0
