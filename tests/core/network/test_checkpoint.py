"""Checkpoints are read as torch itself reads them."""

from pathlib import Path

import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from deconv_core.network.pickled_weights import converted
from tests.thorough import examples

DTYPES = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
)


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """A part of a larger tensor, in any order of its axes."""
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    values = torch.randn([size + 2 for size in shape]).mul(9).to(draw(st.sampled_from(DTYPES)))
    part = values[tuple(slice(draw(st.integers(0, 2)), size + 1) for size in shape)]
    part = part.permute(draw(st.permutations(range(len(shape)))))
    return part.clone() if draw(st.booleans()) else part


@examples(60)
@given(st.lists(tensors(), min_size=1, max_size=4), st.booleans(), st.booleans())
def test_a_checkpoint_holds_what_torch_reads_there(
    tmp_path: Path, parts: list[torch.Tensor], legacy: bool, parameters: bool
) -> None:
    state = {f"features.{n}.weight": part for n, part in enumerate(parts)}
    if parameters:
        state = {
            name: torch.nn.Parameter(part, requires_grad=False) for name, part in state.items()
        }
    path = tmp_path / "a.pth"
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    found = safetensors.torch.load(b"".join(converted(path)))
    wanted = torch.load(path, weights_only=True)
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor.detach())
