/* noop_fcgi.c: bench_noop, a FastCGI program that does nothing: the floor that the reads are compared with. */
#include <fcgiapp.h>

int main(void)
{
    FCGX_Request request;
    if (FCGX_Init() != 0 || FCGX_InitRequest(&request, 0, 0) != 0)
        return 1;
    while (FCGX_Accept_r(&request) == 0) {
        FCGX_PutS("Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", request.out);
        FCGX_Finish_r(&request);
    }
    return 0;
}
