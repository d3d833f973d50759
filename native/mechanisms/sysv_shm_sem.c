// Slots in a System V segment; two System V semaphores a ring count what is filled and what is free. A set outlives
// its makers: in a private IPC namespace it ends with it, in the present one guard.c takes it away by its key.
#include <sys/sem.h>

#include "ring.h"
#include "sysv.h"

enum { FILLED, EMPTIED, A_RING, IN_ALL = 2 * A_RING };

union semun { // semctl(2): the caller has to define it
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

// ENOSPC stands for two of the four limits (semget(2)).
static const char *limit_behind(int number)
{
	struct seminfo most = {0}, used = {0};

	if (number == EINVAL)
		return "kernel.sem.semmsl";
	if (number != ENOSPC)
		return NULL;
	semctl(0, 0, IPC_INFO, (union semun){.info = &most});
	semctl(0, 0, SEM_INFO, (union semun){.info = &used});
	return used.semusz >= most.semmni ? "kernel.sem.semmni" : "kernel.sem.semmns";
}

static int open_set(const struct pair *pair)
{
	unsigned short values[IN_ALL] = {0};
	int id = semget(sysv_key(pair, 0), IN_ALL, IPC_CREAT | IPC_EXCL | 0600), number = errno;

	if (id < 0) {
		const char *limit = limit_behind(number);

		errno = number;
		refused("semget", limit);
	}
	for (int i = 0; i < 2; i++)
		values[i * A_RING + EMPTIED] = (unsigned short)pair->rings[i]->slots;
	if (semctl(id, 0, SETALL, (union semun){.array = values}))
		refused("semctl", NULL);
	return id;
}

static void open_ring(struct pair *pair)
{
	int id;

	ring_open_segments(pair);
	id = open_set(pair);
	for (int i = 0; i < 2; i++)
		pair->ends[i].in = pair->ends[i].out = id;
}

static void remove_all(const struct pair *pair)
{
	int id = semget(sysv_key(pair, 0), 0, 0600);

	if (id >= 0)
		semctl(id, 0, IPC_RMID);
	memory_remove(pair);
}

static void change(struct channel *channel, int semaphore, short by)
{
	struct sembuf operation = {.sem_num = (unsigned short)semaphore, .sem_op = by};

	for (;;) {
		channel->counts->syscalls++;
		if (!semop(channel->in, &operation, 1))
			return;
		if (errno == E2BIG)
			refused("semop", "kernel.sem.semopm");
		if (errno != EINTR)
			channel_broken("semop", -1);
	}
}

static MEASURED void send_slot(struct channel *channel, char *message, size_t size)
{
	struct ring *ring = channel->out_ring;
	int first = channel->side * A_RING;

	change(channel, first + EMPTIED, -1);
	__builtin_memcpy(ring_slot(ring, ring_take_number(&ring->filled)), message, size);
	change(channel, first + FILLED, 1);
}

static MEASURED void receive_slot(struct channel *channel, char *message, size_t size)
{
	struct ring *ring = channel->in_ring;
	int first = (1 - channel->side) * A_RING;

	change(channel, first + FILLED, -1);
	__builtin_memcpy(message, ring_slot(ring, ring_take_number(&ring->emptied)), size);
	change(channel, first + EMPTIED, 1);
}

const struct mechanism sysv_shm_sem_mechanism = {
	.name = "sysv-shm-sem",
	.summary = "a System V segment, System V semaphores",
	.manual = "semop(2)",
	.has_ring = true,
	.open = open_ring,
	.attach = ring_connect,
	.remove = remove_all,
	.send = send_slot,
	.receive = receive_slot,
};
