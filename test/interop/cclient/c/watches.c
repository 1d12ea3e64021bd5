/* Watches, and what becomes of them when they are removed or missed something. */
#include "cases.h"

static int create(struct client *c, const char *path)
{
	return zoo_create(c->zh, path, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
}

static void play_kinds(void)
{
	struct client *c = client(), *other = client();
	struct told *exists = watch(), *data = watch(), *children = watch(), *deleted = watch();
	struct String_vector names;
	struct Stat stat;
	char buffer[8];
	int length = sizeof buffer;
	is(zoo_wexists(c->zh, "/a", tell, exists, &stat), ZNONODE);
	ok(create(other, "/a"));
	expect(exists, 0, ZOO_CREATED_EVENT, "/a");
	ok(zoo_wget(c->zh, "/a", tell, data, buffer, &length, &stat));
	ok(zoo_wget_children2(c->zh, "/a", tell, children, &names, &stat));
	deallocate_String_vector(&names);
	ok(zoo_set(other->zh, "/a", "1", 1, -1));
	ok(zoo_set(other->zh, "/a", "2", 1, -1));
	ok(create(other, "/a/b"));
	expect(data, 0, ZOO_CHANGED_EVENT, "/a");
	expect(children, 0, ZOO_CHILD_EVENT, "/a");
	ok(zoo_wget_children(c->zh, "/a/b", tell, deleted, &names));
	deallocate_String_vector(&names);
	ok(zoo_delete(other->zh, "/a/b", -1));
	expect(deleted, 0, ZOO_DELETED_EVENT, "/a/b");
	need(told_count(exists) == 1 && told_count(data) == 1 && told_count(children) == 1);
}

static void play_order(void)
{
	struct client *c = client(), *other = client();
	struct Stat stat;
	char buffer[8];
	ok(create(c, "/a"));
	for (int i = 0; i < 50; i++) {
		struct told *w = watch();
		int length = sizeof buffer;
		ok(zoo_wget(c->zh, "/a", tell, w, buffer, &length, &stat));
		ok(zoo_set(other->zh, "/a", "x", 1, -1));
		/* Watchers and completions share one thread: an event that came first is told first. */
		eventually(zoo_exists(c->zh, "/a", 0, &stat) == ZOK && stat.version == i + 1);
		eventually(told_count(w) == 1);
	}
}

static void play_remove(void)
{
	struct client *c = client(), *other = client();
	struct told *removed = watch(), *kept = watch();
	struct String_vector names;
	struct Stat stat;
	char buffer[8];
	int length = sizeof buffer;
	ok(create(c, "/a"));
	is(zoo_remove_all_watches(c->zh, "/a", ZWATCHTYPE_ANY, 0), ZNOWATCHER);
	ok(zoo_wget(c->zh, "/a", tell, removed, buffer, &length, &stat));
	ok(zoo_wget_children(c->zh, "/a", tell, kept, &names));
	deallocate_String_vector(&names);
	ok(zoo_remove_all_watches(c->zh, "/a", ZWATCHTYPE_DATA, 0));
	ok(zoo_set(other->zh, "/a", "x", 1, -1));
	ok(create(other, "/a/b"));
	expect(kept, 0, ZOO_CHILD_EVENT, "/a");
	need(told_count(removed) == 0);
}

static void play_default(void)
{
	struct client *c = client(), *other = client();
	struct Stat stat;
	is(zoo_exists(c->zh, "/a", 1, &stat), ZNONODE);
	ok(create(other, "/a"));
	expect(&c->told, 0, ZOO_CREATED_EVENT, "/a");
}

const struct test_case watches[] = {
	{"each kind of watch fires once, for its first change", play_kinds},
	{"an event comes before any answer that shows the change", play_order},
	{"a removed watch stays silent and leaves the others alone", play_remove},
	{"a client's default watcher hears of nodes too", play_default},
	{NULL, NULL},
};
