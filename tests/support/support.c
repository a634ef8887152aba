/* SPDX-License-Identifier: BSD-3-Clause */
#include "support.h"
#include "image.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Paths live until exit. The list keeps them reachable, so that leak checkers do not complain. */
struct kept_path {
	struct kept_path *next;
	char *path;
};

static struct kept_path *kept_paths;
static char *dirs[2];
static pid_t dir_owner[2];

static const char *keep_path(const char *dir, const char *name)
{
	struct kept_path *k = malloc(sizeof(*k));

	assert_non_null(k);
	assert_true(asprintf(&k->path, "%s/%s", dir, name) > 0);
	k->next = kept_paths;
	kept_paths = k;
	return k->path;
}

static int remove_entry(const char *path, const struct stat *st, int type,
			struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_dirs(void)
{
	for (int i = 0; i < 2; i++)
		if (dirs[i] && dir_owner[i] == getpid())
			nftw(dirs[i], remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

const char *support_tmpdir(bool shm)
{
	if (!dirs[shm]) {
		const char *base = getenv(shm ? "TEST_SHM" : "TMPDIR");
		char *dir;

		if (!base)
			base = shm ? "/dev/shm" : "/tmp";
		assert_true(asprintf(&dir, "%s/pmemtest.XXXXXX", base) > 0);
		assert_non_null(mkdtemp(dir));
		dirs[shm] = dir;
		dir_owner[shm] = getpid();
		if (!dirs[!shm])
			atexit(remove_dirs);
	}
	return dirs[shm];
}

const char *support_path(bool shm, const char *name)
{
	return keep_path(support_tmpdir(shm), name);
}

const char *support_source(const char *name)
{
	const char *source = getenv("SOURCE");

	return keep_path(source ? source : ".", name);
}

unsigned char *support_read_file(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	unsigned char *data;
	size_t done = 0;

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	assert_int_equal(fstat(fd, &st), 0);
	data = malloc((size_t)st.st_size + 1);
	assert_non_null(data);
	while (done < (size_t)st.st_size) {
		ssize_t n = read(fd, data + done, (size_t)st.st_size - done);

		assert_true(n > 0);
		done += (size_t)n;
	}
	data[done] = '\0';
	close(fd);
	*len = done;
	return data;
}

void support_write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	size_t done = 0;

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	while (done < len) {
		ssize_t n = write(fd, (const char *)data + done, len - done);

		assert_true(n > 0);
		done += (size_t)n;
	}
	assert_int_equal(close(fd), 0);
}

/*
 * The machine field of pool headers of this machine. The alignments are the same on all machines.
 */
#if defined(__aarch64__)
#define MACHINE 183
#elif defined(__riscv)
#define MACHINE 243
#else
#define MACHINE 62
#endif

/* Changes a pool header from x86-64 into one of this machine. */
static void adopt_header(unsigned char *image, size_t len)
{
	uint64_t sum;

	if (MACHINE == 62 || len < 4096 || memcmp(image, "PMEMBLK", 8) != 0 ||
	    image[142] != 62)
		return;
	image[142] = MACHINE;
	/* Bit 1 of the incompatible features: the checksum covers the first half only. */
	sum = image_fletcher64(image, 4096, 4088, image[16] & 2 ? 2048 : 4088);
	for (int i = 0; i < 8; i++)
		image[4088 + i] = (unsigned char)(sum >> 8 * i);
}

unsigned char *support_load_sparse(const char *path, size_t *len)
{
	FILE *f = fopen(path, "r");
	unsigned char *image = NULL;
	size_t size = 4096;
	char line[512];

	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		unsigned long off;
		char hex[33];

		if (line[0] == '#') {
			char *word = strstr(line, "# size ");

			if (!word)
				word = strstr(line, "# length ");
			if (word && !image)
				size = strtoul(strchr(word + 2, ' '), NULL, 10);
			continue;
		}
		if (!image)
			image = calloc(1, size);
		assert_non_null(image);
		assert_int_equal(sscanf(line, "%lx %32[0-9a-f]", &off, hex), 2);
		assert_int_equal(strlen(hex), 32);
		assert_true(off + 16 <= size);
		for (size_t i = 0; i < 16; i++) {
			char byte[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

			image[off + i] = (unsigned char)strtoul(byte, NULL, 16);
		}
	}
	fclose(f);
	assert_non_null(image);
	adopt_header(image, size);
	*len = size;
	return image;
}

struct loaded {
	const char *build;
	/* the path of a loaded libpmem or libpmemblk that is not below build; "": none */
	char foreign[PATH_MAX];
};

static int look_at_loaded(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct loaded *l = arg;
	char real[PATH_MAX];

	(void)size;
	if (!info->dlpi_name || !strstr(info->dlpi_name, "/libpmem") ||
	    !realpath(info->dlpi_name, real))
		return 0;
	if (strstr(real, ".so") && !strstr(real, l->build))
		memcpy(l->foreign, real, sizeof(real));
	return 0;
}

/* Uses the loader's list of libraries, because some containers have no /proc. */
void support_assert_ours(const void *fn, const char *name)
{
	struct loaded loaded = {.build = getenv("BUILD")};
	const char *build;
	char real[PATH_MAX];
	Dl_info info;

	if (!loaded.build)
		loaded.build = "/build/";
	build = loaded.build;
	assert_true(dladdr(fn, &info) != 0);
	assert_non_null(realpath(info.dli_fname, real));
	if (!strstr(real, build))
		fail_msg("%s comes from %s, not from %s", name, real, build);

	/* The library may have loaded another one. */
	dl_iterate_phdr(look_at_loaded, &loaded);
	if (loaded.foreign[0])
		fail_msg("%s is not from %s", loaded.foreign, build);
}

size_t support_split(char *line, char sep, char **field, size_t max)
{
	size_t n = 0;
	char *p = line;

	line[strcspn(line, "\r\n")] = '\0';
	while (n < max) {
		char *out = p;
		bool quoted = *p == '"';
		char *in = quoted ? p + 1 : p;

		field[n++] = out;
		while (*in && (quoted ? *in != '"' : *in != sep))
			*out++ = *in++;
		if (quoted && *in)
			in++;
		if (!*in) {
			*out = '\0';
			break;
		}
		*out = '\0';
		p = in + 1;
	}
	return n;
}

int support_close_input(void)
{
	int input = dup(0);

	assert_true(input >= 0);
	close(0);
	return input;
}

void support_restore_input(int input)
{
	assert_int_equal(dup2(input, 0), 0);
	close(input);
}

uint64_t support_limit_file_size(uint64_t len)
{
	struct rlimit limit;
	rlim_t before;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	before = limit.rlim_cur;
	limit.rlim_cur = (rlim_t)len;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	return before;
}

unsigned support_count_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

unsigned support_count_mappings(const char *text)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[PATH_MAX + 100];
	unsigned n = 0;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		n += strstr(line, text) != NULL;
	fclose(maps);
	return n;
}

uint64_t support_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

#if defined(__SANITIZE_THREAD__)
/*
 * ThreadSanitizer sees neither that mremap(2) leaves a place nor that shmat(2) takes it: the memory
 * of a witness may lie where a lost page of another thread was filled (storage/sigbus.c).
 */
SUPPORT_INTERPOSE const char *__tsan_default_suppressions(void);

SUPPORT_INTERPOSE const char *__tsan_default_suppressions(void)
{
	return "race:^liveness_begin$\nrace:^is_same_namespace$\n";
}
#endif
