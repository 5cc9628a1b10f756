"""Counts an architecture again, by other people's means: the closed forms need not be believed."""

import warnings

from models.arch import ArchSpec
from models.build import build, count_params, example_input


def recount(arch: ArchSpec) -> dict[str, str]:
    """Parameters of the built module, and fvcore's count of parameters and convolution MACs; each as one text."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)  # fvcore 0.1.5 still imports torch.jit
        from fvcore.nn import FlopCountAnalysis, parameter_count

        network = build(arch).eval()
        analysis = FlopCountAnalysis(network, example_input())
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        macs = int(analysis.by_operator()["conv"])
        fvcore_params = parameter_count(network)[""]
    return {
        "torch": f"{count_params(network):,} parameters",
        "fvcore": f"{fvcore_params:,} parameters, {macs:,} MACs",
    }
