// The options heap_profile and heap_profile_file: starts sampling when the process starts, and writes the file when it
// ends, in whichever thread ends it.
#ifndef MB_CORE_INSIGHT_PROFILE_OPTION_H
#define MB_CORE_INSIGHT_PROFILE_OPTION_H

// Begins to sample, if that is asked for. / Writes the file, if one is named; what went wrong is said on
// `standard_error`.
void mb_profile_begin_asked(int standard_error);
void mb_profile_end_asked(int standard_error);

#endif
