/* noop_fcgi.c: bench_noop, a FastCGI program that does nothing, after it has read the body of a POST: the floor that
 * the service is compared with. */
#include <fcgiapp.h>
#include <string.h>

static void read_body(FCGX_Request *request)
{
    char piece[65536];
    while (FCGX_GetStr(piece, sizeof piece, request->in) == (int)sizeof piece)
        ;
}

int main(void)
{
    FCGX_Request request;
    if (FCGX_Init() != 0 || FCGX_InitRequest(&request, 0, 0) != 0)
        return 1;
    while (FCGX_Accept_r(&request) == 0) {
        const char *method = FCGX_GetParam("REQUEST_METHOD", request.envp);
        if (method && strcmp(method, "POST") == 0) {
            read_body(&request);
            FCGX_PutS("Status: 204 No Content\r\n\r\n", request.out);
        } else {
            FCGX_PutS("Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", request.out);
        }
        FCGX_Finish_r(&request);
    }
    return 0;
}
