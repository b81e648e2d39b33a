/* program.h: which of the two programs this is. */
#ifndef PROCESS_PROGRAM_H
#define PROCESS_PROGRAM_H

enum program { PROGRAM_INGEST, PROGRAM_QUERY };
#define PROGRAMS 2

#endif
