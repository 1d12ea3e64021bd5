/* What a case may use: clients, waiting, and the conversation with the test that started this program.
 *
 * A case is a function that returns when it ends well; the macros below leave it when something is not as it must be. Cases run
 * on the main thread, one after the other; the client's own threads only add to what a watch or a client was told. */
#ifndef CASES_H
#define CASES_H

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <zookeeper.h>

enum {
	LASTING_MS = 20000, /* session timeout of a client that is not meant to expire */
	FLEETING_MS = 2000, /* session timeout of a client that is meant to expire */
	TOLD_MAX = 4096,    /* events that one watch or client can hold */
	PATH_MAX_BYTES = 512
};

/* told collects the events that a watch fired or a client heard of its session. */
struct told {
	pthread_mutex_t mu; /* guards the rest */
	int count;
	int type[TOLD_MAX];
	int state[TOLD_MAX];
	char path[TOLD_MAX][64];
};

struct client {
	zhandle_t *zh;
	struct told told;
};

struct test_case {
	const char *name;
	void (*play)(void);
};

extern const struct test_case calls[], watches[], sessions[]; /* each ended by an entry without a name */
extern const char *self, *address;                            /* this program and the server */

/* fail leaves the running case. */
void fail(const char *file, int line, const char *format, ...) __attribute__((noreturn, format(printf, 3, 4)));

#define need(condition) \
	do { \
		if (!(condition)) fail(__FILE__, __LINE__, "not so: %s", #condition); \
	} while (0)

/* is requires a call of the client to return the code wanted. */
#define is(call, want) \
	do { \
		int got_ = (call); \
		if (got_ != (want)) fail(__FILE__, __LINE__, "%s: %s, not %s", #call, zerror(got_), zerror(want)); \
	} while (0)
#define ok(call) is(call, ZOK)

/* eventually waits until the condition holds. */
#define eventually(condition) \
	do { \
		long end_ = deadline(); \
		while (!(condition)) { \
			if (past(end_)) fail(__FILE__, __LINE__, "never so: %s", #condition); \
		} \
	} while (0)
long deadline(void);
int past(long end); /* also lets a moment pass */

/* connect_for returns a connected client whose paths are below the running case's own root; it is closed when the case ends.
 * With an id it goes on with that session. */
struct client *connect_for(int timeout_ms, const clientid_t *id);
struct client *client(void);
const char *place(void); /* the server's address with the running case's root */
void leave(struct client *c); /* closes it before the case ends */

/* tell is the watcher that adds to the struct told that is its context. */
void tell(zhandle_t *zh, int type, int state, const char *path, void *context);
struct told *watch(void); /* a new, empty collection */
int told_count(struct told *t);
int told_last_state(struct told *t); /* 0 before the first event */
int told_states(struct told *t, int state); /* how often the state was told */
/* expect waits for event number n and requires it to be of this type and path. */
void expect(struct told *t, int n, int type, const char *path);

void server(const char *what); /* stop, start, kill or restart */

int main_hold(const char *path, const char *where); /* the second process of sessions.c */

#endif
