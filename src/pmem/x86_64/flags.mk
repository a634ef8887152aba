# SPDX-License-Identifier: BSD-3-Clause
FLAGS_src/pmem/x86_64/copy_avx = -mavx
FLAGS_src/pmem/x86_64/copy_avx512f = -mavx512f
FLAGS_src/pmem/x86_64/copy_avx_zen = -mavx
FLAGS_src/pmem/x86_64/copy_avx512f_zen = -mavx512f
FLAGS_src/pmem/x86_64/copy_movdir64b = -mavx
