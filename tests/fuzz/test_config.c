/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Configurations. If the first byte is even, the rest is the text of the variable; if it is odd,
 * the rest is the file.
 */
#include "fuzz.h"

#include <errno.h>

#include "base/ctl.h"
#include "base/ctl_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;
	int ret;

	if (size == 0)
		return 0;
	text = malloc(size);
	FUZZ_ASSERT(text);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (data[0] & 1) {
		ctl_config_strip(text);
		FUZZ_ASSERT(text[strcspn(text, "# \t\n\v\f\r")] == '\0');
	}
	ret = ctl_config_apply(text);
	FUZZ_ASSERT(ret == 0 || ret == -EINVAL);
	for (int i = 0; i < CTL_COUNT; i++) {
		int value = ctl_value((enum ctl_setting)i);

		FUZZ_ASSERT(value == 0 || value == 1);
	}
	free(text);
	return 0;
}

FUZZ_MAIN(config)
