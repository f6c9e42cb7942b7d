"""The Ray engine, where Ray is installed: the same numbers as in one process."""

import pytest

ray = pytest.importorskip("ray", reason="Ray is not installed (pip install 'spikedoor[ray]')")

from campaign_cases import campaign, done, measured  # noqa: E402

from spikedoor.errors import ConfigError  # noqa: E402
from spikedoor.study import engine_of  # noqa: E402
from spikedoor.study.engines.cluster import Cluster  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def test_gives_the_numbers_of_one_process(tmp_path):
    truth = measured(done(tmp_path / "local"))
    made = campaign(tmp_path / "ray")
    with engine_of(made, "ray") as engine:
        assert isinstance(engine, Cluster)
        board = made.run(engine)
    assert not board.failed
    assert measured(made) == truth


def test_settings_that_do_not_go_together_are_refused(tmp_path):
    made = campaign(tmp_path / "s")
    with pytest.raises(ConfigError, match="Ray counts its workers"):
        engine_of(made, "ray", workers=2)
    with pytest.raises(ConfigError, match="only with --engine ray"):
        engine_of(made, address="auto")
