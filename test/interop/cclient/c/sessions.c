/* What happens to sessions, ephemerals and watches when connections, servers and clients fail. */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

/* main_hold owns an ephemeral node until it is killed: a second process, so that it can be stopped in its tracks. */
int main_hold(const char *path, const char *where)
{
	zhandle_t *zh = zookeeper_init(where, NULL, FLEETING_MS, NULL, NULL, 0);
	int rc;
	long end = deadline();
	while ((rc = zoo_create(zh, path, "held", 4, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0)) == ZCONNECTIONLOSS && !past(end)) {
	}
	const clientid_t *id = zoo_client_id(zh);
	printf("%d %" PRId64 " ", rc, id->client_id);
	for (int i = 0; i < 16; i++)
		printf("%02x", (unsigned char)id->passwd[i]);
	printf("\n");
	fflush(stdout);
	for (;;)
		pause();
}

/* hold starts that process and returns its id once it owns the node, with its session in id. */
static pid_t hold(const char *path, clientid_t *id)
{
	int ends[2], rc = -1;
	need(pipe(ends) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		execl(self, self, "hold", path, place(), (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	FILE *from = fdopen(ends[0], "r");
	need(fscanf(from, "%d %" SCNd64 " ", &rc, &id->client_id) == 2);
	for (int i = 0; i < 16; i++) {
		unsigned byte;
		need(fscanf(from, "%2x", &byte) == 1);
		id->passwd[i] = (char)byte;
	}
	fclose(from);
	ok(rc);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}


static int create(struct client *c, const char *path, int mode)
{
	return zoo_create(c->zh, path, "", 0, &ZOO_OPEN_ACL_UNSAFE, mode, NULL, 0);
}

/* again waits until the client has lost its connection and has another. */
static void again(struct client *c, int times)
{
	eventually(told_states(&c->told, ZOO_CONNECTED_STATE) == times);
	eventually(zoo_state(c->zh) == ZOO_CONNECTED_STATE);
}

static void play_close(void)
{
	struct client *c = client(), *other = client();
	struct told *gone = watch();
	struct Stat stat;
	ok(create(c, "/e", ZOO_EPHEMERAL));
	ok(zoo_wexists(other->zh, "/e", tell, gone, &stat));
	need(stat.ephemeralOwner == zoo_client_id(c->zh)->client_id);
	leave(c);
	expect(gone, 0, ZOO_DELETED_EVENT, "/e");
}

static void play_resume(void)
{
	struct client *observer = client();
	clientid_t id;
	struct Stat stat;
	pid_t pid = hold("/e", &id);
	end(pid);
	struct client *heir = connect_for(LASTING_MS, &id);
	need(zoo_client_id(heir->zh)->client_id == id.client_id);
	ok(zoo_exists(heir->zh, "/e", 0, &stat));
	need(stat.ephemeralOwner == id.client_id);
	leave(heir);
	is(zoo_exists(observer->zh, "/e", 0, &stat), ZNONODE);
}

static void play_wrong_password(void)
{
	struct client *c = client();
	clientid_t id = *zoo_client_id(c->zh);
	struct told *t = watch();
	struct Stat stat;
	ok(create(c, "/e", ZOO_EPHEMERAL));
	memset(id.passwd, 'x', sizeof id.passwd);
	zhandle_t *thief = zookeeper_init(address, tell, LASTING_MS, &id, t, 0);
	long until = deadline();
	while (told_last_state(t) != ZOO_EXPIRED_SESSION_STATE && !past(until)) {
	}
	int state = told_last_state(t);
	zookeeper_close(thief);
	need(state == ZOO_EXPIRED_SESSION_STATE);
	again(c, 2); /* the attempt cost the owner its connection, not its session */
	ok(zoo_exists(c->zh, "/e", 0, &stat));
}

static void play_stopped(void)
{
	struct client *observer = client();
	struct told *gone = watch();
	clientid_t id;
	pid_t pid = hold("/e", &id);
	ok(zoo_wexists(observer->zh, "/e", tell, gone, NULL));
	need(kill(pid, SIGSTOP) == 0);
	long until = deadline();
	while (told_count(gone) == 0 && !past(until)) {
	}
	end(pid);
	expect(gone, 0, ZOO_DELETED_EVENT, "/e");
	/* Nobody can go on with what expired. */
	struct told *t = watch();
	zhandle_t *heir = zookeeper_init(address, tell, LASTING_MS, &id, t, 0);
	until = deadline();
	while (told_last_state(t) != ZOO_EXPIRED_SESSION_STATE && !past(until)) {
	}
	int state = told_last_state(t), unrecoverable = is_unrecoverable(heir);
	zookeeper_close(heir);
	need(state == ZOO_EXPIRED_SESSION_STATE && unrecoverable == ZINVALIDSTATE);
}

static void play_abandoned(void)
{
	struct client *observer = client();
	struct told *gone = watch();
	clientid_t id;
	end(hold("/e", &id));
	ok(zoo_wexists(observer->zh, "/e", tell, gone, NULL));
	expect(gone, 0, ZOO_DELETED_EVENT, "/e");
}

static void play_restart(void)
{
	struct client *c = client();
	int64_t id = zoo_client_id(c->zh)->client_id;
	struct told *data = watch(), *children = watch(), *later = watch();
	struct String_vector names;
	struct Stat stat;
	char buffer[8];
	int length = sizeof buffer;
	ok(create(c, "/a", 0));
	ok(create(c, "/e", ZOO_EPHEMERAL));
	ok(zoo_wget(c->zh, "/a", tell, data, buffer, &length, &stat));
	ok(zoo_wget_children(c->zh, "/a", tell, children, &names));
	deallocate_String_vector(&names);
	is(zoo_wexists(c->zh, "/later", tell, later, &stat), ZNONODE);
	server("restart");
	again(c, 2);
	need(zoo_client_id(c->zh)->client_id == id);
	ok(zoo_exists(c->zh, "/e", 0, &stat));
	need(stat.ephemeralOwner == id);
	struct client *other = client();
	ok(zoo_set(other->zh, "/a", "x", 1, 0));
	ok(create(other, "/a/b", 0));
	ok(create(other, "/later", 0));
	expect(data, 0, ZOO_CHANGED_EVENT, "/a");
	expect(children, 0, ZOO_CHILD_EVENT, "/a");
	expect(later, 0, ZOO_CREATED_EVENT, "/later");
}

static void play_crash(void)
{
	struct client *c = client();
	struct String_vector names;
	char path[32];
	for (int i = 0; i < 200; i++) {
		snprintf(path, sizeof path, "/n-%d", i);
		ok(create(c, path, 0));
	}
	ok(create(c, "/e", ZOO_EPHEMERAL));
	server("kill");
	server("start");
	again(c, 2);
	ok(zoo_get_children(c->zh, "/", 0, &names));
	int count = names.count;
	deallocate_String_vector(&names);
	need(count == 201);
}

const struct test_case sessions[] = {
	{"closing a session takes its ephemerals along", play_close},
	{"another process goes on with a session by its id and password", play_resume},
	{"a wrong password is told that the session has expired", play_wrong_password},
	{"a process stopped in its tracks loses its session for good", play_stopped},
	{"a process that was killed loses its session after its timeout", play_abandoned},
	{"a session, its ephemerals and its watches outlive a restart of the server", play_restart},
	{"what was acknowledged before the server was killed is there afterwards", play_crash},
	{NULL, NULL},
};
