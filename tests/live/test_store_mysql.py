"""The store on Oracle's MySQL: the contracts, and what MariaDB is tested for besides."""

from twisted.trial.unittest import TestCase

from tests.contracts.store import FriendContract, PostContract
from tests.contracts.store_blocks import BlockContract
from tests.contracts.store_bounds import BoundContract
from tests.contracts.store_log import LogContract, PageContract
from tests.contracts.store_migration import MigrationContract
from tests.contracts.store_retention import RetentionContract
from tests.contracts.store_site import SiteContract
from tests.live.mysql import MySQL
from tests.live.test_store_group import MariaDBGroup
from tests.live.test_store_overlap import Overlap


class MySQLStoreTests(
    MySQL, PostContract, FriendContract, BlockContract, LogContract, PageContract, TestCase
):
    """The contract of every store."""


class MySQLRowTests(MySQL, SiteContract, MigrationContract, TestCase):
    """Rows of a site, and the schema."""


class MySQLRetentionTests(MySQL, RetentionContract, TestCase):
    """Retention."""


class MySQLBoundTests(MySQL, BoundContract, TestCase):
    """Bounds."""


class MySQLGroupTests(MySQL, MariaDBGroup, TestCase):
    """Posts that are written together."""


class MySQLOverlapTests(MySQL, Overlap, TestCase):
    """Transactions that overlap with feedd's, and rows that are not committed."""
