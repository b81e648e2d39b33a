/* key_file.h: API keys that are given to analyticsctl in files. */
#ifndef CTL_KEY_FILE_H
#define CTL_KEY_FILE_H

#define KEY_FILE_MAX 255u /* bytes; our own keys have 68, another service's may be longer */

/* The key on the first line of the file: printable ASCII, no blanks. The caller wipes it. An error is said, without
 * the key, and its status returned. */
int key_file_read(const char *path, char ret_text[KEY_FILE_MAX + 1]);

#endif
