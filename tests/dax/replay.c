/* SPDX-License-Identifier: BSD-3-Clause */
/*
 *	replay LOG BASE COW FSTYPE FILE SEED [original] [stop]
 *
 * Replays a log of dm-log-writes, which holds the marks of the program confirm, onto a disk with
 * the initial contents of the logged one. It judges what a power loss would have left, at each
 * flush and between each two flushes. Prints the number of points, the number of those that
 * failed, and how many operations in flight were found not done and done. With "original" that
 * library judges, too; with "stop" the program ends at the first failure.
 *
 * The log has a superblock of one sector, then entries, each a sector and its data. A write is
 * logged at the first flush that was sent after its completion; a write with FUA at its own
 * completion. So:
 *
 *   1. At an entry that is a flush, the disk holds everything that was logged before.
 *   2. Between two flushes, the disk holds what it held at the first one, each write with FUA,
 *      and any part of the other writes, in any order; sectors are written whole. (The file
 *      system's own writes are not torn, because this test is about the pool.)
 *   3. Everything that was marked as confirmed must be there in each case.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "disk/copy.h"
#include "disk/extents.h"
#include "guest.h"

#define SECTOR 512
#define PAGE_SECTORS 8
#define MAGIC UINT64_C(0x6a736677736872)

enum { FLUSH = 1, FUA = 2, DISCARD = 4, MARK = 8 };

struct superblock {
	uint64_t magic, version, nentry;
	uint32_t sector_size;
};

struct record {
	uint64_t sector, nsector, flags, data_len;
};

struct entry {
	struct record r;
	off_t data;
	char mark[64];
};

/* The contents of the marks. */
struct state {
	uint64_t bsize, in_place, nthread, count, created;
	uint64_t done[NTRACKED]; /* of each thread */
};

/* Which part of the unflushed writes is on the disk. */
enum part { NOTHING, PREFIX, PAGES, SECTORS };
static const char *const part_name[] = {"nothing", "a prefix", "some pages",
					"some sectors"};

static struct entry *entry;
static uint64_t nentry, seed;
static struct extent extent[MAX_EXTENTS]; /* of the pool, in sectors */
static unsigned nextent;
static unsigned npoint, nfailed;
static uint64_t nold, nnew; /* operations in flight */
static int log_fd, base_fd;
static struct notes *notes;
static struct disk disk;
static bool stop;

static uint64_t random_below(uint64_t n)
{
	return mix(seed++) % n;
}

static void *read_at(int fd, off_t offset, size_t size)
{
	static _Alignas(4096) char buf[4 << 20];

	if (size > sizeof(buf) || pread(fd, buf, size, offset) != (ssize_t)size)
		die("the log at %lld: %s", (long long)offset, strerror(errno));
	return buf;
}

static void add_extent(const char *mark)
{
	if (sscanf(mark, "extent:%" SCNu64 ":%" SCNu64, &extent[nextent].disk_off,
		   &extent[nextent].length) == 2 &&
	    ++nextent == MAX_EXTENTS)
		die("too many extents");
}

static void read_log(void)
{
	const struct superblock *s = read_at(log_fd, 0, SECTOR);
	off_t at = SECTOR;

	if (s->magic != MAGIC || s->version != 1 || s->sector_size != SECTOR)
		die("this is no log of dm-log-writes");
	nentry = s->nentry;
	entry = calloc(nentry, sizeof(*entry));
	if (!entry)
		die("out of memory");
	for (uint64_t i = 0; i < nentry; i++) {
		const char *sector = read_at(log_fd, at, SECTOR);
		struct entry *e = &entry[i];

		memcpy(&e->r, sector, sizeof(e->r));
		at += SECTOR;
		e->data = at;
		if (e->r.flags & MARK)
			snprintf(e->mark, sizeof(e->mark), "%.*s", (int)e->r.data_len,
				 sector + sizeof(e->r));
		else if (e->r.flags & DISCARD)
			die("a discard is not expected");
		else
			at += (off_t)e->r.nsector * SECTOR;
		add_extent(e->mark);
	}
}

static void read_mark(struct state *s, const char *text)
{
	uint64_t thread, op;

	if (strcmp(text, "created") == 0) {
		s->created = 1;
	} else if (sscanf(text, "done:%" SCNu64 ":%" SCNu64, &thread, &op) == 2) {
		s->done[thread] = op;
	} else if (strncmp(text, "extent:", 7) != 0 &&
		   strcmp(text, "dm-log-writes-end") != 0 &&
		   sscanf(text, "begin:%" SCNu64 ":%" SCNu64 ":%" SCNu64 ":%" SCNu64,
			  &s->bsize, &s->in_place, &s->nthread, &s->count) != 4) {
		die("the log has an unknown mark %s", text);
	}
}

static bool is_in_pool(uint64_t sector)
{
	for (unsigned i = 0; i < nextent; i++)
		if (sector >= extent[i].disk_off &&
		    sector - extent[i].disk_off < extent[i].length)
			return true;
	return false;
}

static void write_sectors(int fd, const struct entry *e, uint64_t from, uint64_t n)
{
	size_t size = (size_t)n * SECTOR;
	const char *data = read_at(log_fd, e->data + (off_t)from * SECTOR, size);

	if (pwrite(fd, data, size, (off_t)(e->r.sector + from) * SECTOR) != (ssize_t)size)
		die("the disk: %s", strerror(errno));
}

static void write_entry(int fd, const struct entry *e)
{
	for (uint64_t at = 0; at < e->r.nsector; at += 2048)
		write_sectors(fd, e, at,
			      e->r.nsector - at < 2048 ? e->r.nsector - at : 2048);
}

/* A write that is not known to be durable: a part of it, the same for the same seed. */
static void write_part(int fd, const struct entry *e, enum part part)
{
	uint64_t step = part == SECTORS ? 1 : PAGE_SECTORS;

	if (part == PREFIX) {
		write_entry(fd, e);
		return;
	}
	if (part == NOTHING)
		return;
	if (!is_in_pool(e->r.sector)) {
		if (random_below(2))
			write_entry(fd, e);
		return;
	}
	for (uint64_t at = 0; at < e->r.nsector; at += step)
		if (random_below(2))
			write_sectors(fd, e, at,
				      e->r.nsector - at < step ? e->r.nsector - at
							       : step);
}

/* Entries from to to-1 are those after the last flush. */
static void write_parts(const char *path, uint64_t from, uint64_t to, enum part part)
{
	int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	for (uint64_t i = from; i < to; i++) {
		if (entry[i].r.flags & MARK)
			continue;
		if (entry[i].r.flags & FUA)
			write_entry(fd, &entry[i]);
		else
			write_part(fd, &entry[i], part);
	}
	close(fd);
}

/* Each thread has done so many operations; its next one may be done or not. */
static void write_notes(const struct state *s)
{
	notes_reset(notes, s->bsize, s->in_place);
	notes->created = s->created;
	for (unsigned t = 0; t < s->nthread; t++)
		for (uint64_t op = 1; op <= s->done[t]; op++)
			notes_confirmed(notes, model_block(t, (unsigned)s->nthread, op),
					op);
	for (unsigned t = 0; t < s->nthread; t++)
		if (s->created && s->done[t] < s->count)
			notes_possible(
			    notes, model_block(t, (unsigned)s->nthread, s->done[t] + 1),
			    s->done[t] + 1);
}

/*
 * Judges the disk with all entries before from, and the given part of the entries from..to. Each
 * judge gets the same disk.
 */
static void judge(const struct state *s, uint64_t from, uint64_t to, enum part part)
{
	static const char *const library[] = {"ours", "original"};
	uint64_t first = seed;
	bool good = true;

	if (s->bsize == 0)
		return;
	write_notes(s);
	for (unsigned i = 0; i < (disk.original ? 2 : 1); i++) {
		char copy[MAPPER_PATH];

		seed = first;
		copy_begin(&disk, copy);
		write_parts(copy, from, to, part);
		if (!copy_judge(&disk, copy, library[i])) {
			fprintf(stderr,
				"%s: wrong at entry %" PRIu64 ", %s after %" PRIu64 "\n",
				library[i], to, part_name[part], from);
			good = false;
		}
		copy_end();
	}
	npoint++;
	nfailed += !good;
	nold += notes->nold;
	nnew += notes->nnew;
}

/* A moment between two flushes: after any entry, with any part of what was written. */
static void judge_between(const struct state *s, uint64_t from, uint64_t to,
			  enum part part)
{
	struct state then = *s;
	uint64_t end = from + 1 + random_below(to - from);

	/* The moment right after a confirmation is the most interesting one. */
	while (part == NOTHING && end < to && !(entry[end - 1].r.flags & MARK))
		end++;
	for (uint64_t i = from; i < end; i++)
		if (entry[i].r.flags & MARK)
			read_mark(&then, entry[i].mark);
	judge(&then, from, end, part);
}

static bool is_flush(uint64_t i)
{
	return i < nentry && entry[i].r.flags & FLUSH;
}

/* Goes on to the next flush, or to the end, where what was not flushed is lost. */
static uint64_t advance(struct state *s, uint64_t from)
{
	uint64_t to = from;
	bool writes = false, marks = false;

	for (; to < nentry && !is_flush(to); to++) {
		marks = marks || entry[to].r.flags & MARK;
		writes = writes || !(entry[to].r.flags & MARK);
	}
	if (marks)
		judge_between(s, from, to, NOTHING);
	if (writes)
		judge_between(s, from, to, PREFIX + random_below(3));
	for (uint64_t i = from; i < to; i++) {
		if (entry[i].r.flags & MARK)
			read_mark(s, entry[i].mark);
		else
			write_entry(base_fd, &entry[i]);
	}
	if (to == nentry)
		return to;
	write_entry(base_fd, &entry[to]);
	judge(s, to + 1, to + 1, NOTHING);
	return to + 1;
}

static int open_disk(const char *path, int flags)
{
	int fd = open(path, flags | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

int main(int argc, char **argv)
{
	struct state state = {0};

	if (argc < 7)
		die("usage: see the top of tests/dax/replay.c");
	disk = (struct disk){.base = argv[2],
			     .cow = argv[3],
			     .fstype = argv[4],
			     .file = argv[5],
			     .notes = "/tmp/notes"};
	seed = number(argv[6]);
	for (int i = 7; i < argc; i++) {
		disk.original = disk.original || strcmp(argv[i], "original") == 0;
		stop = stop || strcmp(argv[i], "stop") == 0;
	}
	notes = notes_map(disk.notes);
	log_fd = open_disk(argv[1], O_RDONLY);
	base_fd = open_disk(argv[2], O_RDWR);
	read_log();
	for (uint64_t at = 0; at < nentry && !(stop && nfailed);)
		at = advance(&state, at);
	printf("%u %u %" PRIu64 " %" PRIu64 "\n", npoint, nfailed, nold, nnew);
	return 0;
}
