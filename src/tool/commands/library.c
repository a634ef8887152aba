/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * With the distribution's old library this tool would call damaged pools consistent. So it looks
 * up which libraries its functions come from, and searches the version note (version_note.h) in
 * what the loader has mapped there.
 */
#include "commands/library.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "version_note.h"

static const struct {
	const char *name;
	const char *function; /* a function of the library */
} libraries[] = {{"libpmemblk", "pmemblk_open"}, {"libpmem", "pmem_map_file"}};

struct found {
	const char *name;
	uintptr_t address; /* of the function */
	char version[32];  /* "": the library has no note */
};

static const char *next_note(const char *note)
{
	const ElfW(Nhdr) *n = (const void *)note;

	return note + sizeof(*n) + (n->n_namesz + 3) / 4 * 4 + (n->n_descsz + 3) / 4 * 4;
}

static void search_notes(struct found *found, const char *note, const char *end)
{
	for (; note + sizeof(ElfW(Nhdr)) <= end; note = next_note(note)) {
		const ElfW(Nhdr) *n = (const void *)note;
		const char *name = note + sizeof(*n);

		if (next_note(note) > end || n->n_namesz == 0)
			return;
		if (n->n_type == VERSION_NOTE_TYPE &&
		    n->n_namesz == strlen(found->name) + 1 &&
		    memcmp(name, found->name, n->n_namesz) == 0)
			snprintf(found->version, sizeof(found->version), "%.*s",
				 (int)n->n_descsz, name + (n->n_namesz + 3) / 4 * 4);
	}
}

static bool holds(const struct dl_phdr_info *object, uintptr_t address)
{
	for (unsigned i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &object->dlpi_phdr[i];
		uintptr_t start = object->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_LOAD && address >= start &&
		    address < start + p->p_memsz)
			return true;
	}
	return false;
}

static int search_object(struct dl_phdr_info *object, size_t size, void *arg)
{
	struct found *found = arg;

	(void)size;
	if (!holds(object, found->address))
		return 0;
	for (unsigned i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &object->dlpi_phdr[i];
		const char *note = (const char *)(object->dlpi_addr + p->p_vaddr);

		/* Notes aligned to 8 bytes have another form and are not ours. */
		if (p->p_type == PT_NOTE && p->p_align <= 4)
			search_notes(found, note, note + p->p_memsz);
	}
	return 1;
}

/* Finds the version of library i ("" for a foreign library) and its file. */
static void find(size_t i, struct found *found, char *file)
{
	const void *function = dlsym(RTLD_DEFAULT, libraries[i].function);
	Dl_info info;

	*found =
	    (struct found){.name = libraries[i].name, .address = (uintptr_t)function};
	dl_iterate_phdr(search_object, found);
	if (!function || dladdr(function, &info) == 0)
		snprintf(file, PATH_MAX, "an unknown file");
	else if (!realpath(info.dli_fname, file))
		snprintf(file, PATH_MAX, "%s", info.dli_fname);
}

void library_print(void)
{
	char file[PATH_MAX];
	struct found found;

	for (size_t i = 0; i < ARRAY_SIZE(libraries); i++) {
		find(i, &found, file);
		tool_say("%s %s %s", found.name,
			 *found.version ? found.version : "(foreign)", file);
	}
}

bool library_check(void)
{
	char file[PATH_MAX];
	struct found found;

	for (size_t i = 0; i < ARRAY_SIZE(libraries); i++) {
		find(i, &found, file);
		if (!*found.version) {
			tool_complain("%s is not the %s of this tool, which does not "
				      "work with another one",
				      file, found.name);
			return false;
		}
		if (strcmp(found.version, SRCVERSION) != 0)
			tool_complain("warning: %s has version %s, this tool %s", file,
				      found.version, SRCVERSION);
	}
	return true;
}
