// The heap profile as the options heap_profile and heap_profile_file ask for it. Once at the start; once at the end, whichever thread ends the process.
#ifndef MB_CORE_INSIGHT_PROFILE_OPTION_H
#define MB_CORE_INSIGHT_PROFILE_OPTION_H

// Begins to sample, if that is asked for. / Writes the file, if one is named; what went wrong is said on `standard_error`.
void mb_profile_begin_asked(int standard_error);
void mb_profile_end_asked(int standard_error);

#endif
