// What lives when the process ends, by where it was made (option leaks, with stacks).
#ifndef MB_CORE_HARDENED_LEAKS_H
#define MB_CORE_HARDENED_LEAKS_H

// Prints the places whose live blocks have most bytes, so many at most, on standard error. While no other thread
// allocates.
void mb_hard_leaks_tell(unsigned most);

#endif
