// Command summary reads CSV from standard input and prints, for each numeric column, how
// many values it has and their smallest, largest and mean value.
package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

// Column holds the running summary of one column.
type Column struct {
	Name  string
	Count int
	Min   float64
	Max   float64
	Sum   float64
}

// Add takes one more value into the summary.
func (c *Column) Add(value float64) {
	if c.Count == 0 || value < c.Min {
		c.Min = value
	}
	if c.Count == 0 || value > c.Max {
		c.Max = value
	}
	c.Sum += value
	c.Count++
}

// Mean is the average of the values, or zero when there are none.
func (c *Column) Mean() float64 {
	if c.Count == 0 {
		return 0
	}
	return c.Sum / float64(c.Count)
}

// Summarize reads a header and rows, and skips the cells that are no numbers.
func Summarize(input io.Reader) ([]*Column, error) {
	reader := csv.NewReader(input)
	header, err := reader.Read()
	if err != nil {
		return nil, fmt.Errorf("read header: %w", err)
	}
	columns := make([]*Column, len(header))
	for i, name := range header {
		columns[i] = &Column{Name: name}
	}
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return columns, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read row: %w", err)
		}
		for i, cell := range row {
			value, err := strconv.ParseFloat(cell, 64)
			if err != nil {
				continue
			}
			columns[i].Add(value)
		}
	}
}

func main() {
	columns, err := Summarize(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, column := range columns {
		if column.Count == 0 {
			continue
		}
		fmt.Printf("%s: n=%d min=%g max=%g mean=%.3f\n",
			column.Name, column.Count, column.Min, column.Max, column.Mean())
	}
}
