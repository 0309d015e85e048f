"""The store in memory, which other tests stand on, keeps the contract of a store."""

from twisted.trial.unittest import TestCase

from tests.contracts.store import FriendContract, PostContract
from tests.contracts.store_blocks import BlockContract
from tests.contracts.store_log import LogContract, PageContract
from tests.memory import MemoryStore


class MemoryStoreTests(
    PostContract, FriendContract, BlockContract, LogContract, PageContract, TestCase
):
    """The contract, over `MemoryStore`."""

    async def make_store(self) -> MemoryStore:
        return MemoryStore()
