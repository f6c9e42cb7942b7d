"""Learning rules: direct (LR_B), conversion (LR_C), hybrid (LR_H), and the ANN as reference."""

from spikedoor.rules.ann import ANN
from spikedoor.rules.base import RULES, Phase, Rule
from spikedoor.rules.conversion import Conversion, RuleFromANN, train_ann
from spikedoor.rules.direct import Direct
from spikedoor.rules.hybrid import Hybrid
from spikedoor.rules.sharpness import AdaptiveSAM
from spikedoor.rules.training import Training, TrainingLog, train

__all__ = [
    "ANN", "RULES", "AdaptiveSAM", "Conversion", "Direct", "Hybrid", "Phase", "Rule", "RuleFromANN",
    "Training", "TrainingLog", "train", "train_ann",
]  # fmt: skip
