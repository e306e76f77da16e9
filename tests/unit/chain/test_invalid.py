from jigap.chain import invalid
from jigap.chain.invalid import Invalid, NonceTooLow


def every(kind: type[Invalid]) -> list[type[Invalid]]:
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in every(child))]


def test_every_error_has_a_code_of_its_own() -> None:
    kinds = [kind for kind in every(Invalid) if kind.__module__ == invalid.__name__]
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes) > 20


def test_an_error_reads_as_a_node_answers_and_carries_both_numbers() -> None:
    error = NonceTooLow(nonce=3, expected=5)
    assert str(error) == "nonce too low"
    assert error.facts == {"nonce": 3, "expected": 5}
    assert repr(error) == "NonceTooLow('nonce too low', nonce=3, expected=5)"
