"""A small chain for tests: six service keys, four people, and what they may sign."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from jigap.chain import citizen, gas, sct20, symid, transaction
from jigap.chain.block import Block, Body, sign_header
from jigap.chain.citizen import CitizenTransaction, Role, SignedCitizenTransaction
from jigap.chain.signature import PrivateKey
from jigap.chain.symid import FIRST_CA, MASTER_CA, SymId
from jigap.chain.transaction import (
    TYPE_DEPOSIT,
    TYPE_REMIT,
    TYPE_SCT,
    SignedTransaction,
    Transaction,
)
from jigap.node import transition
from jigap.node.genesis import BLOCK_SIGNER, Genesis, GenesisAccount, first_block, platform_genesis
from jigap.node.guard import Guard
from jigap.node.solo import SoloChain
from jigap.node.state import MemoryReader, State
from jigap.node.store import Store
from jigap.node.transition import Candidate, CitizenCandidate, Execution, Rules, Tip

CHAIN_ID = 7777
SYM = 10**18
FUNDS_HUG = 100 * SYM
RULES = Rules(CHAIN_ID)


def key(number: int) -> PrivateKey:
    return PrivateKey(number.to_bytes(32, "big"))


MASTER_KEY, CA_KEY, SIGNER_KEY, OWNER_KEY, TREASURY_KEY, OPERATOR_KEY = map(key, range(1, 7))


@dataclass(frozen=True)
class Person:
    """A citizen with a key."""

    symid: SymId
    key: PrivateKey


def person(number: int) -> Person:
    return Person(symid.make(2, (0x1000 + number).to_bytes(6, "big")), key(1000 + number))


ALICE, BOB, CAROL, DAVE = map(person, range(4))
STRANGER = person(99)
PEOPLE = (ALICE, BOB, CAROL, DAVE)


def genesis(*more: GenesisAccount) -> Genesis:
    extra = [GenesisAccount(one.symid, one.key.public_key_hash, FUNDS_HUG) for one in PEOPLE]
    return platform_genesis(
        master_ca=MASTER_KEY.public_key_hash,
        first_ca=CA_KEY.public_key_hash,
        block_signer=SIGNER_KEY.public_key_hash,
        token_owner=OWNER_KEY.public_key_hash,
        treasury=TREASURY_KEY.public_key_hash,
        operator=OPERATOR_KEY.public_key_hash,
        chain_id=CHAIN_ID,
        extra=(*extra, *more),
    )


# -- what people sign ----------------------------------------


def signed(
    who: Person, nonce: int, chain_id: int = CHAIN_ID, **fields: object
) -> SignedTransaction:
    asked = Transaction(
        sender=who.symid,
        nonce=nonce,
        gas_price=gas.GAS_PRICE_HUG,
        gas_limit=0,
        to=b"",
        value=0,
        input=b"",
        type=TYPE_REMIT,
        work_nodes=(BLOCK_SIGNER,),
    )
    asked = replace(asked, **fields)  # type: ignore[arg-type]
    if not asked.gas_limit:
        asked = replace(asked, gas_limit=gas.gas_used(not asked.to, asked.type, asked.input))
    return transaction.sign(asked, who.key, chain_id)


def remit(
    who: Person, nonce: int, to: SymId, value: int = SYM, **more: object
) -> SignedTransaction:
    return signed(who, nonce, to=to, value=value, **more)


def call(
    who: Person, nonce: int, contract: SymId, asked: sct20.Call, **more: object
) -> SignedTransaction:
    return signed(who, nonce, to=contract, type=TYPE_SCT, input=sct20.encode(asked), **more)


def create(who: Person, nonce: int, amount: int = 1000, name: str = "Won") -> SignedTransaction:
    return call(who, nonce, b"", sct20.Create(name, name.upper()[:10], amount, who.symid))


def deposit(who: Person, nonce: int, value: int) -> SignedTransaction:
    return signed(who, nonce, type=TYPE_DEPOSIT, value=value)


def restore(who: Person, nonce: int) -> SignedTransaction:
    return signed(who, nonce, type=TYPE_DEPOSIT, to=who.symid)


def registered(
    who: Person,
    nonce: int,
    *,
    ca: SymId = FIRST_CA,
    by: PrivateKey = CA_KEY,
    status: int = 1,
    role: int = Role.GENERAL,
) -> SignedCitizenTransaction:
    """A CA binds a key to a SymID."""
    asked = CitizenTransaction(
        sender=ca,
        to=b"",
        nonce=nonce,
        symid=who.symid,
        key_hash=who.key.public_key_hash,
        status=status,
        role=role,
        write_time=1_700_000_000,
    )
    return citizen.sign(asked, by, CHAIN_ID)


# -- a chain in memory ----------------------------------------


@dataclass
class Replica:
    """The state machine over a dict: no disk, no pool."""

    tip: Tip = field(default_factory=lambda: first_block(genesis()).tip())

    @property
    def state(self) -> State:
        return State(self.tip.state)

    def prepare(self, *waiting: SignedTransaction | SignedCitizenTransaction) -> Execution:
        citizens = [
            CitizenCandidate(one, transition.registration.signer_of(one, CHAIN_ID))
            for one in waiting
            if isinstance(one, SignedCitizenTransaction)
        ]
        candidates = [
            Candidate(one, transition.signer_of(one, CHAIN_ID))
            for one in waiting
            if isinstance(one, SignedTransaction)
        ]
        return transition.prepare(self.tip, citizens, candidates, RULES)

    def extend(self, *waiting: SignedTransaction | SignedCitizenTransaction) -> Block:
        """Propose, finalize and commit a block of what may enter it."""
        return self.commit(self.prepare(*waiting), self.tip.header.time_ms + 1000)

    def apply(self, body: Body, time_ms: int) -> Block:
        """Take a body that another replica proposed."""
        return self.commit(transition.process(self.tip, body, RULES), time_ms)

    def commit(self, execution: Execution, time_ms: int) -> Block:
        made = transition.finalize(self.tip, execution, time_ms, BLOCK_SIGNER, RULES)
        block = Block(sign_header(made.header, SIGNER_KEY), made.body, made.receipts)
        memory = self.tip.state
        assert isinstance(memory, MemoryReader)
        memory.apply(made.changes)
        self.tip = Tip(made.header, block.hash, memory, made.sum)
        return block


def open_chain(folder: Path, begun: Genesis | None = None) -> SoloChain:
    """A chain on disk, begun with the genesis of these people."""
    store = Store.open(folder / "chain", first_block(begun or genesis()))
    return SoloChain.start(store, Guard(folder), SIGNER_KEY)


MASTER = Person(MASTER_CA, MASTER_KEY)
CA = Person(FIRST_CA, CA_KEY)
