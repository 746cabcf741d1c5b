// The code that a heap profile's stacks lead through: its files, with their build-ids, and its addresses.
//
// What: in a forked child, only the files of these addresses, found without the loader's lock
// (core/process/code_file.h), since a thread that the child does not have may hold that lock forever. If another thread
// of the child closes a file at this moment, it may be read too late.
// Who: the thread that writes the profile.
#ifndef MB_CORE_INSIGHT_PROFILE_CODE_H
#define MB_CORE_INSIGHT_PROFILE_CODE_H

#include "core/base/gzip.h"

// Mappings, their strings (two each, the first of which gets the index `string`) and locations.
void mb_profile_put_code(struct mb_gzip *out, unsigned string);

#endif
