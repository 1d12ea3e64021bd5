/* Plain calls, their results and their errors. */
#include <stdlib.h>

#include "cases.h"

static struct ACL_vector *open_acl(void) { return &ZOO_OPEN_ACL_UNSAFE; }

static int create(struct client *c, const char *path, const char *value, int mode, char *got)
{
	char ignored[PATH_MAX_BYTES];
	return zoo_create(c->zh, path, value, value ? (int)strlen(value) : -1, open_acl(), mode, got ? got : ignored, PATH_MAX_BYTES);
}

static void play_stat(void)
{
	struct client *c = client();
	struct Stat first, second, third;
	char got[PATH_MAX_BYTES], data[64];
	int length = sizeof data;
	ok(zoo_create2(c->zh, "/a", "one", 3, open_acl(), ZOO_PERSISTENT, got, sizeof got, &first));
	need(strcmp(got, "/a") == 0);
	need(first.czxid > 0 && first.czxid == first.mzxid && first.czxid == first.pzxid);
	need(first.ctime == first.mtime && first.version == 0 && first.cversion == 0 && first.aversion == 0);
	need(first.dataLength == 3 && first.numChildren == 0 && first.ephemeralOwner == 0);
	ok(zoo_set2(c->zh, "/a", "three", 5, 0, &second));
	need(second.version == 1 && second.dataLength == 5 && second.mzxid > first.mzxid && second.czxid == first.czxid);
	ok(create(c, "/a/b", "", 0, NULL));
	ok(create(c, "/a/c", "", 0, NULL));
	ok(zoo_delete(c->zh, "/a/b", 0));
	ok(zoo_get(c->zh, "/a", 0, data, &length, &third));
	need(length == 5 && memcmp(data, "three", 5) == 0);
	need(third.cversion == 3 && third.numChildren == 1 && third.pzxid > second.mzxid);
}

static void play_null(void)
{
	struct client *c = client();
	struct Stat stat;
	char data[8];
	int length = sizeof data;
	ok(create(c, "/null", NULL, 0, NULL));
	ok(zoo_get(c->zh, "/null", 0, data, &length, &stat));
	need(length == -1 && stat.dataLength == 0);
	length = sizeof data;
	ok(create(c, "/empty", "", 0, NULL));
	ok(zoo_get(c->zh, "/empty", 0, data, &length, &stat));
	need(length == 0 && stat.dataLength == 0);
}

static void play_errors(void)
{
	struct client *c = client();
	struct Stat stat;
	struct ACL_vector none = {0, NULL};
	char data[8];
	int length = sizeof data;
	ok(create(c, "/a", "", 0, NULL));
	ok(create(c, "/e", "", ZOO_EPHEMERAL, NULL));
	is(create(c, "/a", "", 0, NULL), ZNODEEXISTS);
	is(create(c, "/x/y", "", 0, NULL), ZNONODE);
	is(create(c, "/e/y", "", 0, NULL), ZNOCHILDRENFOREPHEMERALS);
	is(create(c, "/a/", "", 0, NULL), ZBADARGUMENTS);
	is(zoo_create(c->zh, "/b", "", 0, &none, 0, NULL, 0), ZINVALIDACL);
	is(zoo_create(c->zh, "/b", "", 0, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0), ZINVALIDACL);
	is(zoo_get(c->zh, "/x", 0, data, &length, &stat), ZNONODE);
	is(zoo_exists(c->zh, "/x", 0, &stat), ZNONODE);
	is(zoo_set(c->zh, "/a", "", 0, 9), ZBADVERSION);
	is(zoo_delete(c->zh, "/a", 9), ZBADVERSION);
	ok(create(c, "/a/b", "", 0, NULL));
	is(zoo_delete(c->zh, "/a", -1), ZNOTEMPTY);
}

static void play_sequences(void)
{
	struct client *c = client();
	char got[PATH_MAX_BYTES];
	ok(create(c, "/n-", "", ZOO_PERSISTENT_SEQUENTIAL, got));
	need(strcmp(got, "/n-0000000000") == 0);
	ok(create(c, "/m-", "", ZOO_PERSISTENT_SEQUENTIAL, got));
	need(strcmp(got, "/m-0000000001") == 0);
	ok(create(c, "/e-", "", ZOO_EPHEMERAL_SEQUENTIAL, got));
	need(strcmp(got, "/e-0000000002") == 0);
}

static void play_lists(void)
{
	struct client *c = client();
	struct String_vector names;
	struct Stat stat;
	char path[64];
	ok(create(c, "/many", "", 0, NULL));
	for (int i = 0; i < 500; i++) {
		snprintf(path, sizeof path, "/many/child-%d", i);
		ok(create(c, path, "", 0, NULL));
	}
	ok(zoo_get_children2(c->zh, "/many", 0, &names, &stat));
	need(names.count == 500 && stat.numChildren == 500 && stat.cversion == 500);
	deallocate_String_vector(&names);
	ok(zoo_get_children(c->zh, "/many/child-7", 0, &names));
	need(names.count == 0);
	deallocate_String_vector(&names);
}

static void play_large(void)
{
	struct client *c = client();
	enum { SIZE = 1000 * 1000 };
	char *sent = malloc(SIZE), *got = malloc(SIZE);
	int length = SIZE;
	for (int i = 0; i < SIZE; i++)
		sent[i] = (char)(i * 31);
	int created = zoo_create(c->zh, "/large", sent, SIZE, open_acl(), 0, NULL, 0);
	int read = zoo_get(c->zh, "/large", 0, got, &length, NULL);
	int same = length == SIZE && memcmp(sent, got, SIZE) == 0;
	free(sent);
	free(got);
	ok(created);
	ok(read);
	need(same);
}

/* order checks that completions come in the order of the calls. */
struct order {
	pthread_mutex_t mu;
	int done, bad;
};

static struct order order = {.mu = PTHREAD_MUTEX_INITIALIZER};

static void completed(int rc, const struct Stat *stat, const void *data)
{
	pthread_mutex_lock(&order.mu);
	order.bad += rc != ZOK || stat->version != (int)(long)data + 1 || order.done != (int)(long)data;
	order.done++;
	pthread_mutex_unlock(&order.mu);
}

static int done(void)
{
	pthread_mutex_lock(&order.mu);
	int count = order.done;
	pthread_mutex_unlock(&order.mu);
	return count;
}

static void play_pipelining(void)
{
	struct client *c = client();
	ok(create(c, "/a", "", 0, NULL));
	for (long i = 0; i < 1000; i++)
		ok(zoo_aset(c->zh, "/a", "x", 1, -1, completed, (void *)i));
	eventually(done() == 1000);
	need(order.bad == 0);
}

static void play_multi(void)
{
	struct client *c = client();
	struct Stat set, stat;
	char one[64], two[64];
	zoo_op_t ops[5];
	zoo_op_result_t results[5];
	ok(create(c, "/a", "", 0, NULL));
	zoo_check_op_init(&ops[0], "/a", 0);
	zoo_create_op_init(&ops[1], "/a/b", "1", 1, open_acl(), 0, one, sizeof one);
	zoo_create_op_init(&ops[2], "/a/n-", "", 0, open_acl(), ZOO_PERSISTENT_SEQUENTIAL, two, sizeof two);
	zoo_set_op_init(&ops[3], "/a", "22", 2, 0, &set);
	zoo_delete_op_init(&ops[4], "/a/b", 0);
	ok(zoo_multi(c->zh, 5, ops, results));
	for (int i = 0; i < 5; i++)
		ok(results[i].err);
	need(strcmp(one, "/a/b") == 0 && strcmp(two, "/a/n-0000000001") == 0);
	need(set.version == 1 && set.dataLength == 2);
	ok(zoo_exists(c->zh, "/a/n-0000000001", 0, &stat));
	need(stat.czxid == set.mzxid);
	is(zoo_exists(c->zh, "/a/b", 0, &stat), ZNONODE);
}

static void play_multi_refused(void)
{
	struct client *c = client();
	struct Stat stat;
	zoo_op_t ops[3];
	zoo_op_result_t results[3];
	ok(create(c, "/a", "", 0, NULL));
	zoo_create_op_init(&ops[0], "/a/b", "", 0, open_acl(), 0, NULL, 0);
	zoo_delete_op_init(&ops[1], "/missing", -1);
	zoo_delete_op_init(&ops[2], "/a", -1);
	is(zoo_multi(c->zh, 3, ops, results), ZNONODE);
	ok(results[0].err);
	is(results[1].err, ZNONODE);
	is(results[2].err, ZRUNTIMEINCONSISTENCY);
	is(zoo_exists(c->zh, "/a/b", 0, &stat), ZNONODE);
}

static void authenticated(int rc, const void *data) { *(volatile int *)data = rc; }

static void play_digest(void)
{
	struct client *owner = client(), *other = client();
	volatile int rc = 1;
	struct ACL_vector acl;
	struct Stat stat;
	char data[8];
	int length = sizeof data;
	ok(zoo_add_auth(owner->zh, "digest", "ann:secret", 10, authenticated, (const void *)&rc));
	eventually(rc == ZOK);
	ok(zoo_create(owner->zh, "/mine", "x", 1, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0));
	is(zoo_get(other->zh, "/mine", 0, data, &length, &stat), ZNOAUTH);
	is(zoo_set(other->zh, "/mine", "", 0, -1), ZNOAUTH);
	is(create(other, "/mine/x", "", 0, NULL), ZNOAUTH);
	ok(zoo_get_acl(owner->zh, "/mine", &acl, &stat));
	need(acl.count == 1 && acl.data[0].perms == ZOO_PERM_ALL);
	need(strcmp(acl.data[0].id.scheme, "digest") == 0 && strncmp(acl.data[0].id.id, "ann:", 4) == 0);
	deallocate_ACL_vector(&acl);
	is(zoo_set_acl(owner->zh, "/mine", 5, &ZOO_READ_ACL_UNSAFE), ZBADVERSION);
	ok(zoo_set_acl(owner->zh, "/mine", 0, &ZOO_READ_ACL_UNSAFE));
	ok(zoo_get(other->zh, "/mine", 0, data, &length, &stat));
	need(stat.aversion == 1);
	is(zoo_set(owner->zh, "/mine", "", 0, -1), ZNOAUTH);
}

static void play_bad_auth(void)
{
	struct client *c = client();
	volatile int rc = 1;
	ok(zoo_add_auth(c->zh, "palmistry", "left", 4, authenticated, (const void *)&rc));
	eventually(rc == ZAUTHFAILED);
	eventually(is_unrecoverable(c->zh) == ZINVALIDSTATE);
}

static void play_container(void)
{
	struct client *c = client();
	struct told *w = watch();
	ok(create(c, "/c", "", ZOO_CONTAINER, NULL));
	ok(create(c, "/c/child", "", 0, NULL));
	ok(zoo_wexists(c->zh, "/c", tell, w, NULL));
	ok(zoo_delete(c->zh, "/c/child", -1));
	expect(w, 0, ZOO_DELETED_EVENT, "/c");
}

static void play_ttl(void)
{
	struct client *c = client();
	char got[PATH_MAX_BYTES];
	struct Stat stat;
	ok(zoo_create_ttl(c->zh, "/long", "", 0, open_acl(), ZOO_PERSISTENT_WITH_TTL, 3600 * 1000, NULL, 0));
	ok(zoo_create2_ttl(c->zh, "/short-", "", 0, open_acl(), ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL, 300, got, sizeof got, &stat));
	need(strcmp(got, "/short-0000000001") == 0 && stat.ephemeralOwner == 0);
	eventually(zoo_exists(c->zh, got, 0, &stat) == ZNONODE);
	ok(zoo_exists(c->zh, "/long", 0, &stat));
	is(zoo_create_ttl(c->zh, "/never", "", 0, open_acl(), ZOO_PERSISTENT_WITH_TTL, 0, NULL, 0), ZBADARGUMENTS);
}

const struct test_case calls[] = {
	{"a node's stat counts versions, children and bytes", play_stat},
	{"no data and empty data are told apart", play_null},
	{"each misuse is answered by the code of its own", play_errors},
	{"sequential names count the creations below the parent", play_sequences},
	{"hundreds of children are listed", play_lists},
	{"a million bytes come back as they were sent", play_large},
	{"a thousand requests in flight complete in order", play_pipelining},
	{"a transaction happens as a whole", play_multi},
	{"a refused transaction changes nothing and names the operation at fault", play_multi_refused},
	{"a digest identity opens what an ACL keeps closed to others", play_digest},
	{"an unknown scheme of authentication fails for good", play_bad_auth},
	{"a container goes once its last child has gone", play_container},
	{"a node with a time to live goes when that has passed", play_ttl},
	{NULL, NULL},
};
