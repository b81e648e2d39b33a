/* program.h: which of the two programs this is. */
#ifndef PROGRAM_H
#define PROGRAM_H

enum program { PROGRAM_INGEST, PROGRAM_QUERY };
#define PROGRAMS 2

#endif
