"""The embedded Symverse chain, and the platform's client of any chain.

``client`` is all that business code may know. The rest is the chain itself: ``state`` and
``transition`` are its pure rules, ``mempool``, ``producer`` and ``guard`` make blocks, ``store``
keeps them, ``rpc`` and ``server`` answer Symverse's JSON-RPC.
"""

from jigap.node.client import (
    ChainBlock,
    ChainCitizen,
    ChainContract,
    ChainHeader,
    ChainReceipt,
    ChainTransaction,
    NodeClient,
    NodeMalformed,
    NodeTimeout,
    NodeTrouble,
    NodeUnreachable,
    RpcError,
    Submitted,
    Tag,
)

__all__ = [
    "ChainBlock",
    "ChainCitizen",
    "ChainContract",
    "ChainHeader",
    "ChainReceipt",
    "ChainTransaction",
    "NodeClient",
    "NodeMalformed",
    "NodeTimeout",
    "NodeTrouble",
    "NodeUnreachable",
    "RpcError",
    "Submitted",
    "Tag",
]
