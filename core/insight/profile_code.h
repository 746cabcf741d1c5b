// The code that a heap profile's stacks lead through: its files, with their build-ids, and its addresses.
//
// What: in a forked child only the files of those addresses, found without the loader's lock
// (core/process/code_file.h): a thread that the child does not have may hold that for ever. There a file that another
// thread closes at this moment may be read too late.
// Who: who writes the profile.
#ifndef MB_CORE_INSIGHT_PROFILE_CODE_H
#define MB_CORE_INSIGHT_PROFILE_CODE_H

#include "core/base/gzip.h"

// Mappings, their strings (two each, the first of which gets the index `string`) and locations.
void mb_profile_put_code(struct mb_gzip *out, unsigned string);

#endif
