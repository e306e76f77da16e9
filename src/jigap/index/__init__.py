"""What the platform knows of the chain, as of one height.

The dispatcher fetches every block in order, ``prepare`` and ``apply`` take it in, and everyone else
reads here instead of asking the node: balances, nonces, contracts, citizens and transactions that
all belong to the same block, the one that ``height`` names. A question about money is therefore
answered from one snapshot, and a transaction that is not here is not in any block up to there.

``effects`` is the pure part (a transaction and its receipt in, movements out), ``follow`` the way
in, ``records`` every read, ``tables`` what is stored.
"""

from jigap.index.effects import AccountView as AccountView
from jigap.index.effects import Book as Book
from jigap.index.effects import ContractView as ContractView
from jigap.index.effects import Effects as Effects
from jigap.index.effects import Movement as Movement
from jigap.index.effects import MovementKind as MovementKind
from jigap.index.effects import Shortfall as Shortfall
from jigap.index.effects import effects_of as effects_of
from jigap.index.effects import printable as printable
from jigap.index.follow import Applied as Applied
from jigap.index.follow import BlockMissing as BlockMissing
from jigap.index.follow import ChainForked as ChainForked
from jigap.index.follow import Change as Change
from jigap.index.follow import StateGone as StateGone
from jigap.index.follow import apply as apply
from jigap.index.follow import check_follows as check_follows
from jigap.index.follow import prepare as prepare
from jigap.index.mined import IndexedTransaction as IndexedTransaction
from jigap.index.mined import by_nonce as by_nonce
from jigap.index.mined import place as place
from jigap.index.mined import tagged as tagged
from jigap.index.mined import transaction as transaction
from jigap.index.mined import transactions_in as transactions_in
from jigap.index.mined import transactions_of as transactions_of
from jigap.index.records import IndexedBlock as IndexedBlock
from jigap.index.records import account as account
from jigap.index.records import accounts as accounts
from jigap.index.records import balances_of as balances_of
from jigap.index.records import block as block
from jigap.index.records import citizens_by_key as citizens_by_key
from jigap.index.records import contract as contract
from jigap.index.records import contracts as contracts
from jigap.index.records import every_contract as every_contract
from jigap.index.records import first_height as first_height
from jigap.index.records import height as height
from jigap.index.records import holding as holding
from jigap.index.records import holdings as holdings
from jigap.index.records import holdings_of as holdings_of
from jigap.index.records import is_active as is_active
from jigap.index.records import is_citizen as is_citizen
from jigap.index.records import times_of as times_of
from jigap.index.tables import chain_accounts as chain_accounts
from jigap.index.tables import chain_blocks as chain_blocks
from jigap.index.tables import chain_citizens as chain_citizens
from jigap.index.tables import chain_contracts as chain_contracts
from jigap.index.tables import chain_holdings as chain_holdings
from jigap.index.tables import chain_transactions as chain_transactions
