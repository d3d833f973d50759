// A stream of batches: several messages handed over in one call. At a rate each is due at its own moment: a batch goes
// out when its last message is due, and the latency of all counts from when each was.
#include "payload.h"
#include "stream.h"

uint64_t batch_produce(struct flow *f, enum phase which, struct pace *pace, int64_t until_ns, uint64_t most)
{
	size_t size = f->side->options->size, count;
	uint64_t sent = 0;
	bool last;

	do {
		count = 0;
		do {
			if (pace->kind == WHEN_DUE)
				pace_wait(pace);
			last = stream_last(f, which, pace, ++sent, until_ns, most);
			payload_number(f->expected + count++ * size, size, f->number++);
		} while (!last && count < f->side->options->batch);
		f->mechanism->ways->send_batch(&f->side->channel, f->expected, size, count);
	} while (!last);
	return sent;
}

// One look at the clock a call: what came together came at one time.
int64_t batch_consume(struct flow *f, enum phase which, struct histogram *histogram, struct pace *pace)
{
	const struct options *o = f->side->options;
	uint64_t last;
	int64_t now;

	do {
		size_t count = f->mechanism->ways->receive_batch(&f->side->channel, f->got, o->size, o->batch);

		now = now_ns();
		last = atomic_load_explicit(&f->side->shared->last[which], memory_order_acquire);
		for (size_t i = 0; i < count; i++)
			stream_came(f, f->got + i * o->size, which, histogram, pace, now);
	} while (f->number <= last);
	return now;
}
