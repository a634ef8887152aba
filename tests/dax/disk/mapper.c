/* SPDX-License-Identifier: BSD-3-Clause */
#include "disk/mapper.h"

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define REQUEST_SIZE 16384

union request {
	struct dm_ioctl head;
	char bytes[REQUEST_SIZE];
};

static int control = -1;

static void open_control(void)
{
	control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		die("/dev/mapper/control: %s", strerror(errno));
}

static void prepare(union request *r, const char *name, uint32_t flags)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, open_control);
	memset(&r->head, 0, sizeof(r->head));
	r->head.version[0] = DM_VERSION_MAJOR;
	r->head.data_size = sizeof(*r);
	r->head.data_start = sizeof(r->head);
	r->head.flags = flags;
	snprintf(r->head.name, sizeof(r->head.name), "%s", name);
}

static void demand(union request *r, unsigned long command, const char *what)
{
	if (ioctl(control, command, r) != 0)
		die("device mapper: %s of %s: %s", what, r->head.name, strerror(errno));
}

static void request(const char *name, unsigned long command, uint32_t flags,
		    const char *what)
{
	union request r;

	prepare(&r, name, flags);
	demand(&r, command, what);
}

/* One line of a table becomes a target at *at, which is moved on. */
static void add_target(union request *r, char *line, size_t *at)
{
	unsigned long long start, length;
	char type[DM_MAX_TYPE_NAME];
	int arguments = 0;
	struct dm_target_spec spec = {0};
	size_t size;

	if (sscanf(line, "%llu %llu %15s %n", &start, &length, type, &arguments) < 3)
		die("device mapper: no table: %s", line);
	size = sizeof(spec) + strlen(line + arguments) + 1;
	size = (size + 7) & ~(size_t)7;
	if (*at + size > sizeof(*r))
		die("device mapper: the table is too long");
	spec.sector_start = start;
	spec.length = length;
	spec.next = (uint32_t)size;
	strcpy(spec.target_type, type);
	memcpy(r->bytes + *at, &spec, sizeof(spec));
	strcpy(r->bytes + *at + sizeof(spec), line + arguments);
	*at += size;
	r->head.target_count++;
}

static void load(const char *name, const char *table)
{
	union request r;
	size_t at = sizeof(r.head);
	char *lines = strdup(table), *line, *rest = lines;

	if (!lines)
		die("out of memory");
	memset(&r, 0, sizeof(r));
	prepare(&r, name, 0);
	while ((line = strsep(&rest, "\n")))
		if (*line)
			add_target(&r, line, &at);
	demand(&r, DM_TABLE_LOAD, "the table");
	free(lines);
}

void mapper_create(const char *name, const char *table, char path[MAPPER_PATH])
{
	union request r;

	prepare(&r, name, 0);
	demand(&r, DM_DEV_CREATE, "creation");
	snprintf(path, MAPPER_PATH, "/dev/dm-%u", minor((dev_t)r.head.dev));
	load(name, table);
	mapper_resume(name);
}

void mapper_suspend(const char *name)
{
	request(name, DM_DEV_SUSPEND, DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG,
		"suspension");
}

void mapper_resume(const char *name)
{
	request(name, DM_DEV_SUSPEND, 0, "resumption");
}

void mapper_reload(const char *name, const char *table)
{
	load(name, table);
	mapper_suspend(name);
	mapper_resume(name);
}

void mapper_message(const char *name, const char *text)
{
	union request r;
	struct dm_target_msg message = {0};
	size_t at = sizeof(r.head) + offsetof(struct dm_target_msg, message);

	prepare(&r, name, 0);
	memcpy(r.bytes + sizeof(r.head), &message, sizeof(message));
	snprintf(r.bytes + at, sizeof(r) - at, "%s", text);
	demand(&r, DM_TARGET_MSG, "a message");
}

/* A device that was unmounted a moment ago may still be in use. */
void mapper_remove(const char *name)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	union request r;

	for (int tries = 0;; tries++) {
		prepare(&r, name, 0);
		if (ioctl(control, DM_DEV_REMOVE, &r) == 0)
			return;
		if (errno != EBUSY || tries == 5000)
			die("device mapper: removal of %s: %s", name, strerror(errno));
		nanosleep(&pause, NULL);
	}
}

uint64_t mapper_sectors(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t size;

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &size) != 0)
		die("%s: %s", path, strerror(errno));
	close(fd);
	return size / 512;
}
