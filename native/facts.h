#pragma once

void facts_print(void); // the `facts` command
