"""Who the clients of the cases say they are."""

from bench.cases import CASES, case_of, korean
from iptocc import country_code


def test_every_client_is_in_korea_and_in_a_network_of_its_own():
    addresses = [korean(number) for number in range(300)]
    assert {country_code(one) for one in addresses} == {"KR"}
    assert len({one.rpartition(".")[0] for one in addresses}) == 300


def test_a_case_is_what_it_does_and_whether_it_is_protected():
    assert {case_of(*what): what for what in CASES.values()} == CASES
