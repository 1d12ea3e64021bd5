#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cases.h"

enum { CLIENTS_MAX = 64, WATCHES_MAX = 256, DEADLINE_MS = 30000, POLL_US = 10000 };

const char *self, *address;

static char root[64]; /* of the running case */
static jmp_buf left;
static char failure[1024];
static struct client *clients[CLIENTS_MAX];
static struct told *collections[WATCHES_MAX];
static int client_count, watch_count;

void fail(const char *file, int line, const char *format, ...)
{
	char what[800];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	snprintf(failure, sizeof failure, "%s:%d: %s", file, line, what);
	longjmp(left, 1);
}

static long now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

long deadline(void) { return now_ms() + DEADLINE_MS; }

int past(long end)
{
	usleep(POLL_US);
	return now_ms() > end;
}

static struct told *told_init(struct told *t)
{
	pthread_mutex_init(&t->mu, NULL);
	return t;
}

struct told *watch(void)
{
	need(watch_count < WATCHES_MAX);
	return collections[watch_count++] = told_init(calloc(1, sizeof(struct told)));
}

void tell(zhandle_t *zh, int type, int state, const char *path, void *context)
{
	struct told *t = context;
	(void)zh;
	pthread_mutex_lock(&t->mu);
	if (t->count < TOLD_MAX) {
		t->type[t->count] = type;
		t->state[t->count] = state;
		snprintf(t->path[t->count], sizeof t->path[0], "%s", path ? path : "");
		t->count++;
	}
	pthread_mutex_unlock(&t->mu);
}

/* A watch is told about the session too; only what it was set for counts here. */
static int find(struct told *t, int n)
{
	for (int i = 0; i < t->count; i++)
		if (t->type[i] != ZOO_SESSION_EVENT && n-- == 0)
			return i;
	return -1;
}

int told_count(struct told *t)
{
	int count = 0;
	pthread_mutex_lock(&t->mu);
	for (int i = 0; i < t->count; i++)
		count += t->type[i] != ZOO_SESSION_EVENT;
	pthread_mutex_unlock(&t->mu);
	return count;
}

int told_states(struct told *t, int state)
{
	int count = 0;
	pthread_mutex_lock(&t->mu);
	for (int i = 0; i < t->count; i++)
		count += t->type[i] == ZOO_SESSION_EVENT && t->state[i] == state;
	pthread_mutex_unlock(&t->mu);
	return count;
}

int told_last_state(struct told *t)
{
	pthread_mutex_lock(&t->mu);
	int state = t->count ? t->state[t->count - 1] : 0;
	pthread_mutex_unlock(&t->mu);
	return state;
}

void expect(struct told *t, int n, int type, const char *path)
{
	char seen[64];
	eventually(told_count(t) > n);
	pthread_mutex_lock(&t->mu);
	int i = find(t, n), got = t->type[i];
	memcpy(seen, t->path[i], sizeof seen);
	pthread_mutex_unlock(&t->mu);
	if (got != type || strcmp(seen, path) != 0)
		fail(__FILE__, __LINE__, "event %d is of type %d for %s, not %d for %s", n, got, seen, type, path);
}

const char *place(void)
{
	static char where[256];
	snprintf(where, sizeof where, "%s%s", address, root);
	return where;
}

struct client *connect_for(int timeout_ms, const clientid_t *id)
{
	struct client *c = calloc(1, sizeof *c);
	need(client_count < CLIENTS_MAX);
	told_init(&c->told);
	c->zh = zookeeper_init(place(), tell, timeout_ms, id, &c->told, 0);
	need(c->zh != NULL);
	clients[client_count++] = c;
	eventually(zoo_state(c->zh) == ZOO_CONNECTED_STATE);
	return c;
}

struct client *client(void) { return connect_for(LASTING_MS, NULL); }

void leave(struct client *c)
{
	zookeeper_close(c->zh);
	c->zh = NULL;
}

void server(const char *what)
{
	char answer[512];
	printf("server %s\n", what);
	fflush(stdout);
	need(fgets(answer, sizeof answer, stdin) != NULL);
	if (strcmp(answer, "done\n") != 0)
		fail(__FILE__, __LINE__, "server %s: %s", what, answer);
}

static void end_case(void)
{
	for (int i = 0; i < client_count; i++) {
		if (clients[i]->zh)
			zookeeper_close(clients[i]->zh);
		free(clients[i]);
	}
	for (int i = 0; i < watch_count; i++)
		free(collections[i]);
	client_count = watch_count = 0;
}

/* play_one says how the case ended. */
static void play_one(zhandle_t *setup, const struct test_case *one)
{
	int created;
	if (setjmp(left) != 0) {
		for (char *c = failure; *c; c++)
			if (*c == '\n')
				*c = ' ';
		printf("fail %s\n", failure);
		return;
	}
	/* A restart may just have cut the connection. */
	eventually((created = zoo_create(setup, root, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0)) != ZCONNECTIONLOSS);
	need(created == ZOK || created == ZNODEEXISTS);
	one->play();
	printf("pass\n");
}

static void play(zhandle_t *setup, const struct test_case *list)
{
	static int number;
	for (; list->name; list++) {
		printf("case %s\n", list->name);
		snprintf(root, sizeof root, "/c-%d", number++);
		fflush(stdout);
		play_one(setup, list);
		fflush(stdout);
		end_case();
	}
}

int main(int count, char **arguments)
{
	self = arguments[0];
	address = arguments[count - 1];
	zoo_set_debug_level(ZOO_LOG_LEVEL_WARN);
	if (count == 4 && strcmp(arguments[1], "hold") == 0)
		return main_hold(arguments[2], address);
	zhandle_t *setup = zookeeper_init(address, NULL, LASTING_MS, NULL, NULL, 0);
	play(setup, calls);
	play(setup, watches);
	play(setup, sessions);
	zookeeper_close(setup);
	return 0;
}
