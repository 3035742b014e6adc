/* Values of a graph's inputs. */
#ifndef AD_POINT_H
#define AD_POINT_H

#include "adtool.h"

struct ad_point {
  const ad_graph *graph;
  ad_numbers **value; /* of each input; NULL: the graph's own */
};

#endif
