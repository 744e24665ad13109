"""How sure the tables of the world bench say they are."""

import math

from ddl_train.bench.answers import share_of
from ddl_train.bench.learning import Change, lost
from ddl_train.bench.tables import figure
from tests.world.cells import an_exam


def test_a_mean_of_shares_has_an_interval_that_ends_at_nought_and_one() -> None:
    none = Change(0.0, 0.015, 40, is_share=True)
    assert str(figure([none] * 3)) == "0.000 [0.000, 0.017]* n=120 s=3"
    assert str(figure([none])) == "0.000 [0.000, 0.029] n=40 s=1"
    few = [none, none, none._replace(value=0.002)]
    assert (figure(few).low, figure([one._replace(is_share=False) for one in few]).low < 0) == (
        0.0,
        True,
    )
    assert figure([none._replace(value=1.0)]).high == 1.0
    assert str(figure([none._replace(error=math.inf)])) == "0.000 n=40 s=1"


def test_what_is_said_of_decoys_is_a_share_and_what_is_lost_a_difference() -> None:
    asked = {
        "num_samples": 4,
        "questions": [["decoy", 1, 1, str(n)] for n in range(9)],
        "said": {"x": [[0, 0]] * 9},
    }
    said = share_of(asked, "decoy", "precision", "x")
    assert isinstance(said, Change)
    assert said.is_share
    gone = lost(an_exam(["x"]), "home")
    assert gone is not None
    assert not gone.is_share


def test_numbers_that_agree_in_all_worlds_claim_no_certainty() -> None:
    assert str(figure([0.0] * 5)) == "0.000 [-] s=5"
    assert str(figure([0.3 - 0.2, 0.1, 0.2 - 0.1])) == "0.100 [-] s=3"
    assert str(figure([4.0])) == "4 s=1"
