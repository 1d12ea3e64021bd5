"""Makes /service the property of a credential, and finds that nobody else gets in.

Usage: own.py HOSTS, with commas between.
"""

import sys

from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError
from kazoo.security import make_digest_acl

owner = KazooClient(hosts=sys.argv[1], auth_data=[('digest', 'patroni:secret')])
owner.start(60)
owner.create('/service', acl=[make_digest_acl('patroni', 'secret', all=True)])
owner.stop()

stranger = KazooClient(hosts=sys.argv[1])
stranger.start(60)
try:
    stranger.create('/service/paddock')
    sys.exit('a stranger made a cluster')
except NoAuthError:
    pass
stranger.stop()
