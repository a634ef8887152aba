# SPDX-License-Identifier: BSD-3-Clause
#
# Packages for Debian and what is made from it; included by the Makefile. The folder debian/
# beside this file becomes the one of the source tree in build/deb.

# build/deb/*.deb, for the distribution and the CPU of this machine.
deb:
	@VERSION=$(VERSION) .packaging/build-deb

# They are built and installed in fresh systems of Debian 12 and 13 (SUITES="..." selects): needs
# root, debootstrap and the network, and takes minutes.
check-deb:
	@VERSION=$(VERSION) tests/deb/run.sh $(SUITES) || [ $$? -eq 77 ]

.PHONY: deb check-deb
