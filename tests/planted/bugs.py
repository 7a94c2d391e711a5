"""Known reliability bugs as small changes of the source, each with what it would do and the tests that must turn red."""

from tests.planted.bug import Bug
from tests.planted.counting import COUNTING
from tests.planted.delivering import DELIVERING
from tests.planted.judging import JUDGING
from tests.planted.working import WORKING

BUGS: tuple[Bug, ...] = (*DELIVERING, *COUNTING, *JUDGING, *WORKING)
