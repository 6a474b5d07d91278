"""Networks compute what torchvision's do, or what their definition says, with the same weights."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.models import resnet, vgg

from lttune.config import ModelConfig
from lttune.models import build


def module_of(name, shape):
    with torch.device("meta"):
        module = build(ModelConfig(name=name), shape, 10).make()
    return filled(module.to_empty(device="cpu").double())


def filled(module):
    """Gives every value a random one: variances positive, weights in He's deviation."""
    rng = torch.Generator().manual_seed(0)
    for name, value in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            value.zero_()
        elif name.endswith("running_var"):
            value.uniform_(0.5, 1.5, generator=rng)
        elif value.ndim > 1:
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=rng)
        else:
            value.uniform_(-0.5, 1.5, generator=rng)
    return module


def give(module, other):
    """Copies a module's values, in order, to another of the same shapes; absent biases are 0."""
    ours = iter(module.state_dict().values())
    for name, value in other.state_dict().items():
        if name.endswith("bias") and name in other.absent:
            value.zero_()
            continue
        given = next(ours)
        assert given.shape == value.shape
        value.copy_(given)
    assert next(ours, None) is None


def assert_same(name, shape, oracle, absent=()):
    oracle.double().absent = absent
    module = module_of(name, shape)
    give(module, oracle)
    x = torch.randn(4, *shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    for mode in (False, True, False):
        # The second evaluation sees the moments of the training.
        with torch.no_grad():
            found, expected = module.train(mode)(x), oracle.train(mode)(x)
        assert found.std() > 1e-3
        assert torch.allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_resnet18_on_large_pictures_is_torchvisions():
    with torch.device("meta"):
        oracle = resnet.resnet18(num_classes=10)
    assert_same("resnet18", (3, 64, 64), oracle.to_empty(device="cpu"))


def narrow(block, counts, width, stem):
    """Returns torchvision's ResNet with fewer channels."""
    with torch.device("meta"):
        oracle = resnet.ResNet(block, counts, num_classes=10)
    oracle.inplanes = width
    oracle.conv1, oracle.bn1 = stem, nn.BatchNorm2d(width)
    for i, count in enumerate(counts):
        layer = oracle._make_layer(block, width * 2**i, count, stride=1 if i == 0 else 2)
        setattr(oracle, f"layer{i + 1}", layer)
    oracle.fc = nn.Linear(8 * width * block.expansion, 10)
    return oracle


@pytest.mark.parametrize(
    ("name", "block", "counts"),
    [
        ("resnet18", resnet.BasicBlock, [2, 2, 2, 2]),
        ("resnet34", resnet.BasicBlock, [3, 4, 6, 3]),
        ("resnet50", resnet.Bottleneck, [3, 4, 6, 3]),
    ],
)
def test_resnets_have_torchvisions_blocks_and_a_small_stem_on_small_pictures(name, block, counts):
    large = narrow(block, counts, 4, nn.Conv2d(1, 4, 7, 2, padding=3, bias=False))
    assert_same(f"{name}-4", (1, 65, 70), large)
    small = narrow(block, counts, 4, nn.Conv2d(3, 4, 3, padding=1, bias=False))
    small.maxpool = nn.Identity()
    assert_same(f"{name}-4", (3, 63, 30), small)


def torchvisions_cifar_resnet(depth, width, channels):
    def downsample(into, out):
        return nn.Sequential(nn.Conv2d(into, out, 1, 2, bias=False), nn.BatchNorm2d(out))

    layers = [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)]
    layers.append(nn.ReLU())
    for segment in range(3):
        for i in range((depth - 2) // 6):
            halved = segment > 0 and i == 0
            out = width * 2**segment
            into = out // 2 if halved else out
            down = downsample(into, out) if halved else None
            layers.append(resnet.BasicBlock(into, out, 2 if halved else 1, down))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, 10))


@pytest.mark.parametrize(("depth", "shape"), [(20, (3, 32, 32)), (32, (1, 8, 8)), (56, (3, 15, 9))])
def test_cifar_resnets_are_made_of_torchvisions_blocks(depth, shape):
    assert_same(f"resnet-{depth}-8", shape, torchvisions_cifar_resnet(depth, 8, shape[0]))


@pytest.mark.parametrize(("depth", "letter"), [(11, "A"), (13, "B"), (16, "D"), (19, "E")])
def test_vggs_are_torchvisions_up_to_the_last_pooling(depth, letter):
    plan = [part if part == "M" else part // 8 for part in vgg.cfgs[letter]]
    features = vgg.make_layers(plan[:-1], batch_norm=True)
    oracle = nn.Sequential(*features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    convolutions = [i for i, part in enumerate(oracle) if isinstance(part, nn.Conv2d)]
    assert_same(f"vgg-{depth}-8", (3, 32, 32), oracle, {f"{i}.bias" for i in convolutions})


def test_a_vgg_on_8_pixels_does_without_the_fourth_pooling():
    small = module_of("vgg-11-4", (8, 8))
    names = [name for name, part in small.named_children() if isinstance(part, nn.MaxPool2d)]
    assert names == ["pool1", "pool2", "pool3"]
    assert module_of("vgg-11-4", (16, 16)).pool4.kernel_size == 2


def test_a_densenet_is_its_definition():
    module = module_of("densenet-22-12", (3, 12, 10)).eval()
    values = iter(v for n, v in module.state_dict().items() if "num_batches" not in n)

    def activated(x):
        scale, shift, mean, variance = (next(values).view(-1, 1, 1) for _ in range(4))
        return ((x - mean) / (variance + 1e-5).sqrt() * scale + shift).clamp(min=0)

    x = torch.randn(2, 3, 12, 10, dtype=torch.double)
    y = functional.conv2d(x, next(values), padding=1)
    for block in range(3):
        if block:
            y = functional.conv2d(activated(y), next(values))
            y = (y[..., ::2, :] + y[..., 1::2, :]) / 2 if y.shape[-2] % 2 == 0 else y
            y = y[..., : y.shape[-1] // 2 * 2]
            y = (y[..., ::2] + y[..., 1::2]) / 2
        for _ in range(6):
            y = torch.cat([y, functional.conv2d(activated(y), next(values), padding=1)], 1)
    y = activated(y).mean((-2, -1))
    assert y.shape[1] == 16 + 3 * 6 * 12
    expected = y @ next(values).T + next(values)
    assert torch.allclose(module(x), expected, rtol=1e-9, atol=1e-9)


def hidden(values, x):
    """Returns the logits of linear layers with ReLU between."""
    while True:
        x = x @ next(values).T + next(values)
        if x.shape[1] == 10:
            return x
        x = x.relu()


@pytest.mark.parametrize(
    ("name", "shape", "paddings"),
    [
        ("lenet5", (28, 28), ("2p", "0p")),
        ("lenet5", (8, 8), ("2p", "2p")),
        ("conv-2", (3, 8, 8), ("1", "1p")),
        ("conv-4", (3, 8, 8), ("1", "1p", "1", "1p")),
        ("conv-6", (3, 8, 8), ("1", "1p", "1", "1p", "1", "1p")),
        ("lenet-20-30", (4, 4), ()),
    ],
)
def test_networks_without_batch_norm_are_their_definition(name, shape, paddings):
    module = module_of(name, shape)
    values = iter(module.state_dict().values())
    x = torch.randn(5, *shape, dtype=torch.double)
    y = x if len(shape) == 3 or not paddings else x[:, None]
    for padding in paddings:
        y = functional.conv2d(y, next(values), next(values), padding=int(padding[0])).relu()
        y = functional.max_pool2d(y, 2) if padding.endswith("p") else y
    expected = hidden(values, y.flatten(1))
    assert next(values, None) is None
    assert torch.allclose(module(x), expected, rtol=1e-9, atol=1e-9)
